import { say } from '../../protocol/sentence.ts'
import { type Rule, says } from './rule.ts'

/** reference/vllm.md 3.4. */
export const MODEL_RULES: readonly Rule[] = [
  {
    class: 'auth',
    match:
      /gated repo|401 Client Error|403 Client Error|Access to model \S+ is restricted|Invalid user token|GatedRepoError/,
    explain: (_, { settings, log }) => {
      const name =
        log.map((line) => /Access to model (\S+) is restricted/.exec(line)?.[1]).find(Boolean) ?? settings.model
      const isRepository = name !== undefined && /^[\w.-]+\/[\w.-]+$/.test(name)
      return {
        cause: say`The hub does not give out ${name ?? say('this model')} without permission.`,
        fix: isRepository
          ? say`Accept its licence on https://huggingface.co/${name}, and set HF_TOKEN to a token of that account.`
          : say('Accept its licence, and set HF_TOKEN to a token of that account.'),
      }
    },
  },
  {
    class: 'hub_limit',
    match: /429 Client Error|Too Many Requests for url/,
    canHeal: true,
    explain: says(say('The hub answers too many requests from here with a refusal.'), say('Wait, or set HF_TOKEN.')),
  },
  {
    class: 'offline',
    match:
      /LocalEntryNotFoundError|Cannot find the requested files in the disk cache|We couldn't connect to 'https:\/\/|outgoing traffic has been disabled|Temporary failure in name resolution/,
    explain: (_, { settings }) => ({
      cause: say`${settings.model ?? say('The model')} is not complete on this machine, and the hub cannot be reached.`,
      fix: say(
        'Go online once and get it (`lexora pull`), or remove HF_HUB_OFFLINE; if the name is wrong, correct `model`.',
      ),
    }),
  },
  {
    class: 'model_missing',
    match:
      /Invalid repository ID or local directory specified: '(.*?)'|Repo id must be in the form .*?: '(.*?)'|(\S+) is not a local folder and is not a valid model identifier|RepositoryNotFoundError|Repo id must (?:use|be)/,
    explain: ([, folder, path, name], { settings }) => {
      const model = folder ?? path ?? name ?? settings.model ?? say('The model')
      return {
        cause: say`There is no model at ${model}, or its config.json is missing.`,
        fix: say('Correct `model`, or get the whole model again.'),
      }
    },
  },
  {
    class: 'engine_old',
    match:
      /Model architectures \[(.*?)\] (?:are not supported for now|failed to be inspected)|Model architectures? \S+ was supported in vLLM until (\S+)/,
    explain: ([, quoted = '', until]) => {
      if (until)
        return {
          cause: say('This vLLM has dropped the architecture of the model.'),
          fix: say`Install vLLM ${until.replace(/\.$/, '')}.`,
        }
      const names = quoted.replaceAll("'", '')
      return {
        cause: names
          ? say`This vLLM does not know the architecture ${names}.`
          : say('This vLLM does not know the architecture of the model.'),
        fix: say('Install a newer vLLM, or choose another model.'),
      }
    },
  },
  {
    class: 'engine_old',
    match: /has model type `(.+?)` but Transformers does not recognize/,
    explain: ([, type]) => ({
      cause: say`This installation does not know models of type ${type}.`,
      fix: say('Install a newer vLLM (with its transformers), or choose another model.'),
    }),
  },
  {
    class: 'remote_code',
    match: /--trust-remote-code|trust_remote_code=True|requires you to execute the (?:configuration|modeling) file/,
    explain: says(
      say('The model comes with a program of its own, which vLLM will not run unasked.'),
      say('If you trust its author, set trust-remote-code.'),
    ),
  },
  {
    class: 'ctx_too_big',
    match: /User-specified max_model_len \((\d+)\) is greater than the derived max_model_len \((.*?)\)/,
    explain: ([, asked, derived = '']) => {
      const lengths = [...derived.matchAll(/=(\d+)(?:\.\d+)?/g)].map(([, digits]) => Number(digits))
      const longest = lengths.length > 0 ? Math.min(...lengths) : null
      if (longest === null)
        return {
          cause: say`A context of ${asked} tokens is more than the model was made for.`,
          fix: say('Remove max-model-len.'),
          change: { 'args.max-model-len': null },
        }
      return {
        cause: say`A context of ${asked} tokens is more than the model was made for (${longest}).`,
        fix: say`Set max-model-len to ${longest}.`,
        change: { 'args.max-model-len': longest },
      }
    },
  },
  {
    class: 'template',
    match: /[Tt]he supplied chat template (?:string |path )?\((.+?)\) (?:appears path-like, but )?doesn't exist/,
    explain: ([, path]) => ({
      cause: say`There is no chat template at ${path}.`,
      fix: say('Correct chat-template, or remove it.'),
      change: { 'args.chat-template': null },
    }),
  },
  {
    class: 'model_bad',
    match: /config file at '(.+?)' is not a valid JSON file/,
    explain: ([, path]) => ({ cause: say`${path} is not JSON.`, fix: say("Get the model's files again.") }),
  },
  {
    class: 'model_bad',
    match: /Cannot find any model weights with `(.+?)`/,
    explain: ([, path]) => ({ cause: say`There are no weights in ${path}.`, fix: say("Get the model's files again.") }),
  },
  {
    class: 'model_bad',
    match:
      /Error while deserializing header|SafetensorError|incomplete metadata, file not fully covered|invalid header deserialization/,
    explain: says(
      say('A file of the weights is cut off or damaged.'),
      say("Check the model's files, and get that one again."),
    ),
  },
  {
    class: 'model_bad',
    match: /No such file or directory: '?(\S+?\.(?:safetensors|bin|json|model|gguf|txt))'?/,
    explain: ([, path]) => ({ cause: say`${path} is missing.`, fix: say("Get the model's files again.") }),
  },
  {
    class: 'model_bad',
    match:
      /KeyError: '(\S*(?:weight|bias|scale)\w*)'|size mismatch for (\S+?):|Following weights were not initialized from checkpoint/,
    explain: ([, key, name]) => ({
      cause:
        key || name
          ? say`The weights do not fit the model (${key ?? name}).`
          : say('The weights do not fit the model.'),
      fix: say("Check the model's files against its page, and get them again."),
    }),
  },
  {
    class: 'model_bad',
    match:
      /Couldn't instantiate the backend tokenizer|Can't load tokenizer for '(.+?)'|Unable to load vocabulary|tokenizer\.json.*(?:expected|invalid)/,
    explain: says(
      say("The model's tokenizer is missing or damaged."),
      say("Get the model's files again, or set tokenizer."),
    ),
  },
]
