import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Path of this module, or of the bundle that contains it. */
const HERE = fileURLToPath(import.meta.url);

/** The hint for a user who has to install ONNX Runtime. */
export function installRuntime(version = ''): string {
  const command = installCommand(`onnxruntime-node${version}`);
  const downloads = process.platform === 'linux' && process.arch === 'x64';
  return downloads ? `${command} (${SKIP})` : command;
}

const SKIP = 'Set ONNXRUNTIME_NODE_INSTALL=skip to skip 300 MB of CUDA libraries';

/**
 * How to install a package where this program finds it, which is next to itself. A command that installs it elsewhere
 * (in the current project, for a global program) would not help.
 * @param wanted - the package, with a version if one is needed
 * @param here - a file of this program
 */
export function installCommand(wanted: string, here: string = HERE, cwd: string = process.cwd()): string {
  const parts = here.split(sep);
  const pnpm = parts.indexOf('.pnpm');
  // With pnpm, packages are in node_modules/.pnpm, and only the first node_modules belongs to the project.
  const at = pnpm < 0 ? parts.lastIndexOf('node_modules') : pnpm - 1;
  const home = at < 0 ? cloneOf(here) : parts.slice(0, at).join(sep);
  if (parts.includes('_npx')) return `npx -p onnx-compress -p ${wanted} onnx-compress …`;
  if (pnpm >= 0) return isGlobalPnpm(parts) ? `pnpm add -g ${wanted}` : inFolder(`pnpm add ${wanted}`, home, cwd);
  if (at < 0 || existsSync(join(home, 'package.json'))) return inFolder(`npm install ${wanted}`, home, cwd);
  // A folder of packages without a project is npm's global one: PREFIX/lib, or PREFIX itself on Windows.
  const prefix = home.endsWith(`${sep}lib`) ? dirname(home) : home;
  const usual = prefix === dirname(dirname(realpathSync(process.execPath))) || prefix === dirname(process.execPath);
  return `npm install -g ${wanted}${usual ? '' : ` --prefix ${quoted(prefix)}`}`;
}

function isGlobalPnpm(parts: readonly string[]): boolean {
  return /^\d+$/.test(parts[parts.indexOf('global') + 1] ?? '');
}

/** The folder of package.json above a file that is in no node_modules. */
function cloneOf(file: string): string {
  let folder = dirname(file);
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** The command, with the folder to run it in if that is not the current one. */
function inFolder(command: string, folder: string, cwd: string): string {
  const isHere = !relative(folder, cwd).startsWith('..');
  return isHere ? command : `cd ${quoted(folder)} && ${command}`;
}

function quoted(path: string): string {
  return /^[\w./\\:@+-]+$/.test(path) ? path : `"${path}"`;
}
