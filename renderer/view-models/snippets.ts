export const SNIPPET_KINDS = ['curl', 'python', 'js', 'env'] as const

export type SnippetKind = (typeof SNIPPET_KINDS)[number]

export const SNIPPET_TITLES: Record<SnippetKind, string> = { curl: 'curl', python: 'Python', js: 'JS', env: 'env' }

export type SnippetOf = {
  /** With `/v1`. */
  address: string
  model: string
  messages: readonly { role: string; content: string }[]
  /** Callers must show one; the placeholder never looks like a real one. */
  needsKey: boolean
  parameters?: Readonly<Record<string, number>>
}

const PLACEHOLDER = 'YOUR_KEY'

/** Code that does the same from a program: complete, and ready to be pasted. */
export function snippet(kind: SnippetKind, { address, model, messages, needsKey, parameters = {} }: SnippetOf): string {
  const key = needsKey ? PLACEHOLDER : 'none'
  switch (kind) {
    case 'curl': {
      const body = JSON.stringify({ model, messages, ...parameters }).replaceAll("'", "'\\''")
      const auth = needsKey ? ` -H "Authorization: Bearer ${PLACEHOLDER}"` : ''
      return `curl ${address}/chat/completions \\\n  -H "Content-Type: application/json"${auth} \\\n  -d '${body}'`
    }
    case 'python': {
      const given = [
        `model=${python(model)}`,
        `messages=${python(messages)}`,
        ...Object.entries(parameters).map(([name, value]) => `${name}=${value}`),
      ]
      return `from openai import OpenAI\n\nclient = OpenAI(base_url="${address}", api_key="${key}")\nanswer = client.chat.completions.create(\n    ${given.join(',\n    ')},\n)\nprint(answer.choices[0].message.content)`
    }
    case 'js': {
      const given = [
        `model: ${JSON.stringify(model)}`,
        `messages: ${JSON.stringify(messages)}`,
        ...Object.entries(parameters).map(([name, value]) => `${name}: ${value}`),
      ]
      return `import OpenAI from 'openai'\n\nconst client = new OpenAI({ baseURL: '${address}', apiKey: '${key}' })\nconst answer = await client.chat.completions.create({\n  ${given.join(',\n  ')},\n})\nconsole.log(answer.choices[0].message.content)`
    }
    case 'env':
      return `export OPENAI_BASE_URL=${address}\nexport OPENAI_API_KEY=${key}\nexport OPENAI_MODEL=${model}`
  }
}

/** JSON is Python, but for three words, none of which stands in what we write. */
function python(value: unknown): string {
  return JSON.stringify(value)
}
