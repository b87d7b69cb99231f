export const SNIPPET_KINDS = ['curl', 'python', 'js', 'env'] as const

export type SnippetKind = (typeof SNIPPET_KINDS)[number]

export const SNIPPET_TITLES: Record<SnippetKind, string> = { curl: 'curl', python: 'Python', js: 'JS', env: 'env' }

export type SnippetOf = {
  /** With `/v1`. */
  address: string
  model: string
  messages: readonly { role: string; content: string }[]
  /** What stands where the key goes; null: none is needed. */
  key: string | null
  parameters?: Readonly<Record<string, number>>
}

/** Never looks like a real one. */
export const YOUR_KEY = 'YOUR_KEY'

/** Clients refuse to start without one; where none is needed any word will do. */
const NO_KEY = 'none'

/** Code that does the same from a program: complete, and ready to be pasted. */
export function snippet(kind: SnippetKind, { address, model, messages, key, parameters = {} }: SnippetOf): string {
  const shown = key ?? NO_KEY
  switch (kind) {
    case 'curl': {
      const body = JSON.stringify({ model, messages, ...parameters }).replaceAll("'", "'\\''")
      const auth = key === null ? '' : ` -H "Authorization: Bearer ${key}"`
      return `curl ${address}/chat/completions \\\n  -H "Content-Type: application/json"${auth} \\\n  -d '${body}'`
    }
    case 'python': {
      const given = [
        `model=${python(model)}`,
        `messages=${python(messages)}`,
        ...Object.entries(parameters).map(([name, value]) => `${name}=${value}`),
      ]
      return `from openai import OpenAI\n\nclient = OpenAI(base_url="${address}", api_key="${shown}")\nanswer = client.chat.completions.create(\n    ${given.join(',\n    ')},\n)\nprint(answer.choices[0].message.content)`
    }
    case 'js': {
      const given = [
        `model: ${JSON.stringify(model)}`,
        `messages: ${JSON.stringify(messages)}`,
        ...Object.entries(parameters).map(([name, value]) => `${name}: ${value}`),
      ]
      return `import OpenAI from 'openai'\n\nconst client = new OpenAI({ baseURL: '${address}', apiKey: '${shown}' })\nconst answer = await client.chat.completions.create({\n  ${given.join(',\n  ')},\n})\nconsole.log(answer.choices[0].message.content)`
    }
    case 'env':
      return `export OPENAI_BASE_URL=${address}\nexport OPENAI_API_KEY=${shown}\nexport OPENAI_MODEL=${model}`
  }
}

/** JSON is Python, but for three words, none of which stands in what we write. */
function python(value: unknown): string {
  return JSON.stringify(value)
}

export const EDITORS = { continue: 'Continue', zed: 'Zed', aider: 'Aider', claude: 'Claude Code' } as const

export type Editor = keyof typeof EDITORS

/** Zed asks for a number; so much is safe with most models. */
const SOME_CONTEXT = 8192

/** What an editor's or an agent's own settings say to use this Lexora. `context` null: how long it may be is not known. */
export function editorSettings(
  editor: Editor,
  { address, model, key, context }: Pick<SnippetOf, 'address' | 'model' | 'key'> & { context: number | null },
): string {
  const shown = key ?? NO_KEY
  switch (editor) {
    case 'continue':
      return [
        '# ~/.continue/config.yaml',
        'name: Lexora',
        'version: 1.0.0',
        'schema: v1',
        'models:',
        `  - name: ${JSON.stringify(model)}`,
        '    provider: openai',
        `    model: ${JSON.stringify(model)}`,
        `    apiBase: ${address}`,
        `    apiKey: ${shown}`,
      ].join('\n')
    case 'zed': {
      const offered = { name: model, max_tokens: context ?? SOME_CONTEXT }
      const settings = {
        language_models: { openai_compatible: { Lexora: { api_url: address, available_models: [offered] } } },
      }
      return `// settings.json; start Zed with LEXORA_API_KEY=${shown}\n${JSON.stringify(settings, null, 2)}`
    }
    case 'aider':
      return `export OPENAI_API_BASE=${address}\nexport OPENAI_API_KEY=${shown}\naider --model openai/${model}`
    case 'claude': {
      const names = ['ANTHROPIC_MODEL', 'ANTHROPIC_DEFAULT_HAIKU_MODEL'].map((name) => `export ${name}=${model}`)
      const origin = address.replace(/\/v1$/, '')
      return [`export ANTHROPIC_BASE_URL=${origin}`, `export ANTHROPIC_AUTH_TOKEN=${shown}`, ...names].join('\n')
    }
  }
}
