/** The command line as users run it: bin/compress.js in its own process. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import { checkDocument } from './documents.ts';

/** The repository. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));
export const BIN: string = join(ROOT, 'bin/compress.js');

/** Path of a file in fixtures/. */
export function fixture(name: string): string {
  return join(ROOT, 'fixtures', name);
}

/**
 * Copies a fixture into a folder and returns its base name, so that lines with it do not depend on the path of the
 * clone.
 */
export function copyOf(name: string, to: string): string {
  copyFileSync(fixture(name), join(to, basename(name)));
  return basename(name);
}

/** The result of a command. */
export interface Result {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** How to run a command. */
export interface RunOptions {
  readonly cwd?: string;
  /** Bytes of standard input; empty if absent. */
  readonly input?: Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

/** A text without its line breaks, which depend on the length of the clone's path. */
export function oneLine(text: string | Buffer): string {
  return text.toString().replace(/\s+/g, ' ');
}

/** Runs `onnx-compress` with these arguments. What `--json` writes is checked by its schema. */
export function compress(args: readonly string[], options: RunOptions = {}): Result {
  const done = run(process.execPath, [BIN, ...args], options);
  checkDocument(args, done.stdout.toString());
  return done;
}

/** Runs a line of bash in which `onnx-compress` is on the path. */
export function shell(line: string, options: RunOptions = {}): Result {
  return run('bash', ['-c', line], options);
}

/** Runs several command lines in one process, one after the other; for commands that write no model. */
export function compressEach(
  list: readonly (readonly string[])[],
  options: RunOptions = {},
): (Result & { line: string })[] {
  const main = JSON.stringify(join(ROOT, 'dist/bin/main.js'));
  const code = `
    import { main } from ${main};
    const results = [];
    const write = process.stdout.write.bind(process.stdout);
    for (const argv of ${JSON.stringify(list)}) {
      const said = { stdout: '', stderr: '' };
      for (const name of ['stdout', 'stderr']) {
        process[name].write = (text, done) => { said[name] += text; if (typeof done === 'function') done(); return true; };
      }
      process.exitCode = 0;
      await main(argv);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
      for (const name of ['stdout', 'stderr']) process[name].removeAllListeners('error');
      results.push({ ...said, code: process.exitCode });
    }
    process.exitCode = 0;
    write(JSON.stringify(results));`;
  const done = run(process.execPath, ['--input-type=module', '-e', code], options);
  if (done.code !== 0) throw new Error(done.stderr);
  const results = JSON.parse(done.stdout.toString()) as { code: number; stdout: string; stderr: string }[];
  for (const [index, { stdout }] of results.entries()) checkDocument(list[index] ?? [], stdout);
  return results.map((one, index) => ({
    ...one,
    stdout: Buffer.from(one.stdout),
    line: (list[index] ?? []).join(' '),
  }));
}

/** A new folder, removed when the tests of the file are done. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'compress-test-'));
  folders.push(path);
  return path;
}

/** The environment of a command: `onnx-compress` and its alias on the path, and no colour settings. */
export function environment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  checkBuilt();
  const base = { ...process.env };
  for (const name of ['NO_COLOR', 'FORCE_COLOR', 'NODE_OPTIONS', 'COLUMNS']) delete base[name];
  return { ...base, PATH: `${shim()}:${process.env['PATH'] ?? ''}`, ...env };
}

const folders: string[] = [];
afterAll(() => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
  shimFolder = undefined;
});

function run(command: string, args: readonly string[], options: RunOptions): Result {
  const { cwd, input, env } = options;
  const done = spawnSync(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    ...(input === undefined ? { stdio: ['ignore', 'pipe', 'pipe'] as const } : { input }),
    env: environment(env),
    maxBuffer: 1 << 28,
  });
  if (done.error !== undefined) throw done.error;
  return { code: done.status, stdout: done.stdout, stderr: done.stderr.toString() };
}

let shimFolder: string | undefined;

function shim(): string {
  if (shimFolder !== undefined) return shimFolder;
  shimFolder = folder();
  for (const name of ['onnx-compress', 'compress']) {
    const path = join(shimFolder, name);
    writeFileSync(path, `#!/bin/sh\nexec "${process.execPath}" "${BIN}" "$@"\n`);
    chmodSync(path, 0o755);
  }
  return shimFolder;
}

/** The bundle of the command line. */
const BUNDLE = join(ROOT, 'dist/bin/main.js');

let built = false;

/** bin/ runs the code in dist/: a stale build would test old code. */
function checkBuilt(): void {
  if (built) return;
  const stale = sources(join(ROOT, 'src')).find((path) => {
    const own = relative(join(ROOT, 'src'), path);
    const made = own.startsWith('cli') ? BUNDLE : join(ROOT, 'dist', own).replace(/\.ts$/, '.js');
    return !existsSync(made) || statSync(made).mtimeMs < statSync(path).mtimeMs;
  });
  if (stale !== undefined)
    throw new Error(`dist/ is missing or older than ${relative(ROOT, stale)}: run npm run build first`);
  built = true;
}

function sources(path: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((one) => one.isFile() && one.name.endsWith('.ts') && !one.name.endsWith('.d.ts'))
    .map((one) => join(one.parentPath, one.name));
}

/** Makes a folder inside another. */
export function subfolder(parent: string, name: string): string {
  const path = join(parent, name);
  mkdirSync(path);
  return path;
}
