import { say } from '../../protocol/sentence.ts'
import { type Rule, says } from './rule.ts'

/** What stands before the engine: a shell, Docker, WSL. */
export const LAUNCH_RULES: readonly Rule[] = [
  {
    class: 'executable_missing',
    match: /(\S+): (?:command )?not found$|exec: "(.+?)": executable file not found|(\S+): bad interpreter: /m,
    explain: ([, shell, container, interpreter]) => ({
      cause: say`${shell ?? container ?? interpreter} was not found.`,
      fix: interpreter
        ? say('The environment was moved or its Python is gone: install it anew.')
        : say('Install it, or set `executable` or `venv` to where it is.'),
    }),
  },
  {
    class: 'docker_missing',
    match: /Cannot connect to the Docker daemon|error during connect: .*docker|failed to connect to the docker API/i,
    canHeal: true,
    explain: says(say('Docker does not run.'), say('Start Docker (or Docker Desktop).')),
  },
  {
    class: 'docker_permission',
    match: /permission denied while trying to connect to the [Dd]ocker (?:daemon socket|API)/,
    explain: says(say('This user may not use Docker.'), say('Add the user to the group `docker`, and log in again.')),
  },
  {
    class: 'docker_gpu',
    match:
      /could not select device driver "?\w*"? with capabilities: \[\[gpu\]\]|nvidia-container-cli: .*|unknown or invalid runtime name: nvidia|failed to discover GPU vendor|unresolvable CDI devices/,
    explain: says(
      say('Docker cannot reach the GPU.'),
      say('Install the NVIDIA Container Toolkit, run `nvidia-ctk runtime configure`, and restart Docker.'),
    ),
  },
  {
    class: 'image_missing',
    match:
      /pull access denied for (\S+?),|manifest for (\S+) not found|No such image: (\S+)|manifest unknown|repository (\S+) not found/,
    explain: ([, one, two, three, four]) => {
      const name = one ?? two ?? three ?? four
      return {
        cause: name ? say`The image ${name} is not there.` : say('The image is not there.'),
        fix: say('Correct `image`, or pull it (`docker pull`).'),
      }
    },
  },
  {
    class: 'container_name',
    match: /The container name "?\/?(\S+?)"? is already in use/,
    explain: ([, name]) => ({
      cause: say`A container named ${name} is there already.`,
      fix: say`Remove it (\`docker rm -f ${name}\`).`,
    }),
  },
  {
    class: 'wsl_missing',
    match:
      /no installed distributions|WSL_E_DISTRO_NOT_FOUND|no distribution with the supplied name|WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED|Windows Subsystem for Linux is not installed/,
    explain: says(
      say('WSL, or the distribution that was asked for, is not installed.'),
      say('Run `wsl --install`, then install vLLM in it.'),
    ),
  },
]
