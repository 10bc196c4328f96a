import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import dockerignore from '@balena/dockerignore'
import { type Copy, DockerfileParser, type Env, type From, type Instruction } from 'dockerfile-ast'
import { root } from '../../tools/services.ts'

/** What an image holds, and how a container of it is run. */
export type Image = {
  /** The folder that is `/app` in the container. */
  folder: string
  env: Record<string, string>
  user: string | undefined
  ports: number[]
  command: string[]
  /** For a shell. Undefined without one. */
  healthcheck: string | undefined
}

const file = join(root, 'deploy/Dockerfile')
const ignored = dockerignore.default({ ignorecase: false }).add(readFileSync(`${file}.dockerignore`, 'utf8'))

/** The targets of the Dockerfile that are run: those which name a command. */
export const targets = stages()
  .filter(({ steps }) => steps.some((step) => step.getKeyword() === 'CMD'))
  .map(({ name }) => name)

/**
 * Does what the Dockerfile says, without an engine: each stage is a folder that stands for its `/app`, its commands are run
 * there with this Node, and `COPY` takes from the repository what the ignore file lets through. One thing is taken as done: where
 * a stage installs all packages, it gets those of the repository, which are the lockfile's too.
 */
export function createBuilder(workspace: string) {
  const built = new Map<string, Image>()

  function build(name: string): Image {
    const known = built.get(name)
    if (known) return known
    const stage = stages().find((stage) => stage.name === name)
    if (!stage) throw new Error(`The Dockerfile has no stage ${name}.`)
    const base = stages().some(({ name }) => name === stage.base) ? build(stage.base) : undefined
    const folder = join(workspace, name)
    if (base) execFileSync('cp', ['--archive', '--link', base.folder, folder])
    else mkdirSync(folder)
    const inherited = base ?? { user: undefined, ports: [], command: [], healthcheck: undefined }
    const image: Image = { ...inherited, folder, env: { ...base?.env } }
    for (const step of stage.steps) follow(step, image)
    built.set(name, image)
    return image
  }

  function follow(step: Instruction, image: Image): void {
    const text = step.getArgumentsContent() ?? ''
    switch (step.getKeyword()) {
      case 'COPY':
        copy(step as Copy, image)
        return
      case 'RUN':
        runIn(image, text.replace(/^--\S+\s+/, ''))
        return
      case 'ENV':
        for (const property of (step as Env).getProperties()) image.env[property.getName()] = property.getValue() ?? ''
        return
      case 'USER':
        image.user = text
        return
      case 'EXPOSE':
        image.ports = text.split(' ').map(Number)
        return
      case 'CMD':
        image.command = JSON.parse(text)
        return
      case 'HEALTHCHECK':
        image.healthcheck = / ?CMD (.+)$/s.exec(text)?.[1]
        return
      case 'WORKDIR':
        if (text !== '/app') throw new Error(`All stages work in /app, not in ${text}.`)
        return
      case 'STOPSIGNAL':
        if (text !== 'SIGTERM') throw new Error('Processes stop on SIGTERM.')
        return
      default:
        throw new Error(`What does ${step.getKeyword()} do?`)
    }
  }

  function copy(step: Copy, { folder }: Image): void {
    const from = step
      .getFlags()
      .find((flag) => flag.getName() === 'from')
      ?.getValue()
    const paths = step.getArguments().map((argument) => argument.getValue())
    const destination = paths.pop() ?? ''
    for (const source of paths) {
      const origin = from ? build(from).folder : root
      const path = from ? source.replace(/^\/app\/?/, '') : source
      const directory = statSync(join(origin, path)).isDirectory()
      const target = directory || !destination.endsWith('/') ? destination : join(destination, basename(path))
      mkdirSync(join(folder, directory ? target : join(target, '..')), { recursive: true })
      if (from)
        execFileSync('cp', [
          '--archive',
          '--link',
          directory ? `${join(origin, path)}/.` : join(origin, path),
          join(folder, target),
        ])
      else
        for (const found of contextFiles(path))
          cpSync(join(root, found), join(folder, target, found.slice(path.length)))
    }
  }

  function runIn({ folder, env }: Image, command: string): void {
    if (command === 'npm ci --ignore-scripts') {
      symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
      return
    }
    // Files may be those of an earlier stage, which keeps its own.
    for (const name of ['package.json', 'package-lock.json']) detach(join(folder, name))
    execFileSync('sh', ['-ec', command], { cwd: folder, env: { ...environment(), ...env }, stdio: 'pipe' })
  }

  return build
}

type Stage = { name: string; base: string; steps: Instruction[] }

function stages(): Stage[] {
  const found: Stage[] = []
  for (const step of DockerfileParser.parse(readFileSync(file, 'utf8')).getInstructions()) {
    if (step.getKeyword() === 'FROM') {
      const from = step as From
      found.push({ name: from.getBuildStage() ?? '', base: from.getImage() ?? '', steps: [] })
    } else found.at(-1)?.steps.push(step)
  }
  return found
}

/** A file of the repository, or those under a folder of it, that a build is given. */
function contextFiles(path: string): string[] {
  const all = statSync(join(root, path)).isDirectory()
    ? globSync(`${path}/**`, { cwd: root, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    : [path]
  const passed = ignored.filter(all)
  if (passed.length === 0) throw new Error(`${path} is ignored.`)
  return passed
}

/** Makes a file one of its own that shares its content with another. */
function detach(path: string): void {
  if (!existsSync(path)) return
  const content = readFileSync(path)
  rmSync(path)
  writeFileSync(path, content)
}

function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, npm_config_cache, npm_config_registry } = process.env
  return { PATH, HOME, npm_config_cache, npm_config_registry }
}
