import { say } from '../protocol/sentence.ts'
import { HubError, type HubFile } from './hub.ts'

/** `REPO` or `REPO:PATTERN`, and what is asked for beside it. Throws HubError for what is no repository. */
export function parseRepository(given: string): { repo: string; patterns: string[] } {
  const text = given.replace(/^(https?:\/\/huggingface\.co\/|hf:\/\/|hf\.co\/)/, '').replace(/\/+$/, '')
  const [repo = '', ...rest] = text.split(':')
  const isName = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/.test(repo) && !/--|\.\./.test(repo)
  if (!isName) {
    throw new HubError(
      say`'${given.slice(0, 100)}' is no repository of the hub.`,
      say('Name it as OWNER/NAME, as in Qwen/Qwen3-8B.'),
    )
  }
  return { repo, patterns: rest.length > 0 ? [rest.join(':')] : [] }
}

/** Weights in other forms: where there are safetensors nobody reads them. */
const OTHER_WEIGHTS =
  /\.(bin|pt|pth|h5|msgpack|onnx|onnx_data|ot|tflite|gguf|mlmodel)$|^(original|onnx|openvino|coreml|runs)\//
const PICTURES = /\.(png|jpe?g|gif|webp|mp4|svg|pdf)$/i
/** What every engine needs, whatever weights were asked for. */
const SMALL = /(^|\/)(config|generation_config|params|tokenizer_config|tokenizer|special_tokens_map)\.json$/

/** The files that an engine needs, or those that match. Throws HubError where nothing does, or where one must choose. */
export function chooseFiles(files: readonly HubFile[], patterns: readonly string[], repo: string): HubFile[] {
  if (patterns.length > 0) return matching(files, patterns, repo)
  const isSafe = files.some(({ path }) => path.endsWith('.safetensors'))
  const useful = files.filter(({ path }) => !PICTURES.test(path))
  if (isSafe) return useful.filter(({ path }) => !OTHER_WEIGHTS.test(path) && !isCopy(path, files))
  const ggufs = files.filter(({ path }) => path.endsWith('.gguf') && !/mmproj/i.test(path))
  const variants = [...new Set(ggufs.map(({ path }) => path.replace(/-\d{5}-of-\d{5}\.gguf$/, '.gguf')))]
  if (variants.length > 1) {
    const some = variants.slice(0, 8).map((path) => path.split('/').at(-1)!)
    const example = some.find((name) => /q4_k_m/i.test(name)) ?? some[0]!
    throw new HubError(
      say`${repo} holds ${variants.length} GGUF variants: ${`${some.join(', ')}${variants.length > 8 ? ', …' : ''}`}.`,
      say`Say which one: ${`${repo}:${example}`}`,
    )
  }
  if (useful.length === 0) throw new HubError(say`${repo} holds no files.`, null)
  return useful.filter(({ path }) => !/^(onnx|openvino|coreml|runs)\//.test(path))
}

function matching(files: readonly HubFile[], patterns: readonly string[], repo: string): HubFile[] {
  const tests = patterns.map(asTest)
  const chosen = files.filter(({ path }) => tests.some((test) => test(path)))
  if (chosen.length === 0) {
    const some = files.slice(0, 6).map(({ path }) => path)
    throw new HubError(
      say`No file of ${repo} matches ${patterns.join(' or ')}.`,
      say`It holds ${`${some.join(', ')}${files.length > 6 ? ', …' : ''}`}.`,
    )
  }
  // Parts of one file belong together, and weights want their configuration.
  const parts = chosen.flatMap(({ path }) => {
    const part = /^(.*)-\d{5}-of-(\d{5}\.(?:gguf|safetensors))$/.exec(path)
    return part === null ? [] : [{ before: `${part[1]}-`, after: `-of-${part[2]}` }]
  })
  const isPart = (path: string): boolean =>
    parts.some(({ before, after }) => path.startsWith(before) && path.endsWith(after))
  return files.filter(
    (file) => chosen.includes(file) || isPart(file.path) || (SMALL.test(file.path) && !file.path.includes('/')),
  )
}

/** `*` and `?`, against the name or the whole path; letters in either case. */
function asTest(pattern: string): (path: string) => boolean {
  const wild = pattern.toLowerCase()
  return (path) => {
    const text = path.toLowerCase()
    return isLike(text, wild) || isLike(text.split('/').at(-1)!, wild)
  }
}

/** Without a regular expression: somebody's pattern must not cost time. */
function isLike(text: string, wild: string): boolean {
  let [at, star, mark, i] = [0, -1, 0, 0]
  while (i < text.length) {
    if (at < wild.length && (wild[at] === '?' || wild[at] === text[i]) && wild[at] !== '*') {
      at++
      i++
    } else if (wild[at] === '*') {
      star = at++
      mark = i
    } else if (star >= 0) {
      at = star + 1
      i = ++mark
    } else return false
  }
  while (wild[at] === '*') at++
  return at === wild.length
}

/** Mistral writes its weights twice: once for its own tools. */
function isCopy(path: string, files: readonly HubFile[]): boolean {
  return /^consolidated.*\.safetensors$/.test(path) && files.some((file) => /^model.*\.safetensors$/.test(file.path))
}
