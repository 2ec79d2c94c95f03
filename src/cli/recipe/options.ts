import type { Argv, CommandModule, Options } from 'yargs';
import { commonArguments } from '../arguments.ts';

/** An option of a verb, as it is declared for yargs. */
export interface VerbOption {
  /** As on the command line, without its dashes: `weights-only`. */
  readonly flag: string;
  /** As in a recipe: `weightsOnly`. */
  readonly key: string;
  readonly kind: 'flag' | 'text' | 'list';
  /** As yargs got it. */
  readonly spec: Options;
}

/** The options a verb declares, by their keys, without those every verb has: a verb's own are the keys of its step. */
export function optionsOf(module: Pick<CommandModule, 'builder'>): ReadonlyMap<string, VerbOption> {
  const options = declared((yargs) => {
    if (typeof module.builder === 'function') void module.builder(yargs);
  });
  for (const key of COMMON.keys()) options.delete(key);
  return options;
}

/** Calls a builder with a yargs that does nothing but note which options are declared. */
function declared(build: (yargs: Argv) => void): Map<string, VerbOption> {
  const options = new Map<string, VerbOption>();
  const add = (flag: string, spec: Options): void => {
    const kind = spec.array === true ? 'list' : spec.type === 'boolean' ? 'flag' : 'text';
    const key = camelCase(flag);
    options.set(key, { flag, key, kind, spec });
  };
  const yargs: Argv = new Proxy({} as Argv, {
    get: (_, method) => {
      if (method !== 'option' && method !== 'options') return () => yargs;
      return (first: string | Readonly<Record<string, Options>>, spec: Options = {}) => {
        if (typeof first === 'string') add(first, spec);
        else for (const [flag, one] of Object.entries(first)) add(flag, one);
        return yargs;
      };
    },
  });
  build(yargs);
  return options;
}

/** What every verb takes: a recipe is replayed with those of `compress run`. */
const COMMON = declared((yargs) => void commonArguments(yargs));

function camelCase(flag: string): string {
  return flag.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** Options that name a file to read, and the words that may stand there and are none. */
const FILE_OPTIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ['calibrate', ['random']],
  ['ranges', []],
  ['mask', []],
  ['scores', []],
  ['amounts', []],
]);

/** Whether the value of an option is the path of a file to read. */
export function isFile(key: string, value: string): boolean {
  return FILE_OPTIONS.get(key)?.includes(value) === false;
}

/** Whether an option writes a file beside the model, which no recipe does. */
export function isSaving(key: string): boolean {
  return key === 'report' || /^save[A-Z]/.test(key);
}
