import { stat } from 'node:fs/promises';
import { CompressError } from '../errors.ts';
import { isSameTarget, isTerminal, type OutputTarget, targetOf } from '../node/files/target.ts';
import type { CommonValues } from '../options/common.ts';
import { refuseClosedOutput } from './closed.ts';

/** The descriptor for reports and errors. */
const STDERR = 2;

/** Where the model goes: a path; undefined for standard output, whatever path names it. */
export function outputOf(
  args: CommonValues,
  streams: { readonly stdout: { readonly isTTY?: boolean } },
): string | undefined {
  const path = args.output === '-' ? undefined : args.output;
  if (args.dryRun) return path;
  if (path === '') {
    throw new CompressError('options', '--output', 'the file name is empty', { hint: 'Name a file: -o small.onnx.' });
  }
  if (path !== undefined && !isStdout(path)) {
    refuseForModel(path, args);
    return path;
  }
  if (streams.stdout.isTTY) {
    throw new CompressError('options', '', 'standard output is a terminal, which cannot take a model', {
      hint: 'Name a file with -o small.onnx, or redirect with > small.onnx.',
    });
  }
  if (args.json) {
    throw new CompressError('options', '--json', 'standard output carries the model', {
      hint: 'Write the model with -o FILE; the JSON then goes to standard output.',
    });
  }
  if (args.externalData) {
    throw new CompressError('options', '--external-data', 'standard output cannot carry a data file', {
      hint: 'Write the model with -o FILE; the weights then go to FILE.data.',
    });
  }
  refuseClosedOutput();
  return undefined;
}

/** Whether a path is standard output: `/dev/stdout`, `/proc/self/fd/1`, or a link to one. */
export function isStdout(path: string): boolean {
  const target = targetOf(path);
  return target.kind === 'descriptor' && target.fd === 1;
}

/** Whether a path is a stream, such as a pipe, which cannot be read again. */
export function isStream(path: string | undefined): boolean {
  return path === undefined || targetOf(path).kind !== 'file';
}

/** Refuses a pipe or device that cannot take a model. */
function refuseForModel(path: string, args: CommonValues): void {
  if (!isStream(path)) return;
  const target = targetOf(path);
  if (target.kind === 'descriptor' && target.fd === STDERR) {
    throw new CompressError('options', '--output', 'standard error carries the messages', {
      hint: 'Name a file: -o small.onnx, or - for standard output.',
    });
  }
  if (isTerminal(target)) {
    throw new CompressError('io', path, 'is a terminal, which cannot take a model', {
      hint: 'Name a file: -o small.onnx.',
    });
  }
  if (args.externalData) {
    throw new CompressError('options', '--external-data', `'${path}' cannot carry a data file`, {
      hint: 'Write the model with -o FILE; the weights then go to FILE.data.',
    });
  }
}

/**
 * Refuses to write a further file over another file of the run, or into the model on standard output.
 * @param own - the option that names `path`
 * @param writesModel - whether the verb writes a model if no output is named
 * @throws CompressError `options`
 */
export function refuseOther(
  own: 'report' | 'saveRecipe' | 'saveRanges',
  path: string,
  args: object,
  writesModel = true,
): void {
  const option = `--${own.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const wrong = (fact: string): CompressError =>
    new CompressError('options', option, fact, { hint: `Name another file: ${option} FILE.` });
  const target = targetOf(path);
  if (isStdout(path)) {
    const { output, json } = args as Partial<CommonValues>;
    if (json) throw wrong('standard output carries the report');
    const carriesModel = output === undefined ? writesModel : output === '-' || isStdout(output);
    if (carriesModel) throw wrong('standard output carries the model');
  }
  for (const [key, value] of Object.entries(args)) {
    if (key === own || `--${key}` === option || typeof value !== 'string' || value === '') continue;
    const there = key === 'output' ? [value, `${value}.data`] : [value];
    if (there.some((other) => isSameTarget(leadOf(other), target))) {
      throw wrong(`'${path}' is used for another file of this run`);
    }
  }
}

/** The target of an argument, which need not be a path. */
function leadOf(argument: string): OutputTarget {
  try {
    return targetOf(argument);
  } catch {
    return { kind: 'file', path: argument };
  }
}

/** Whether two paths lead to the same existing file. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev;
}
