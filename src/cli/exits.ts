import type { ErrorCode } from '../errors.ts';

/** The exit codes of the program. If a signal ends the program, the system's codes apply. */
export const EXITS = {
  0: 'done',
  1: 'invalid model or file',
  2: 'invalid command line',
  3: 'a gate failed',
} as const;

type Exit = keyof typeof EXITS;

/** The exit code of a run that ended with an error. */
export function exitOf(code: ErrorCode | undefined): Exclude<Exit, 0> {
  if (code === 'options') return 2;
  return code === 'gate' ? 3 : 1;
}

/** `Exit codes: 0 done, 1 the model or a file, …`. */
export function exitsLine(): string {
  return `Exit codes: ${Object.entries(EXITS)
    .map(([code, meaning]) => `${code} ${meaning}`)
    .join(', ')}.`;
}
