import { type Result, strangeResult } from '../../../activations/results.ts';
import { Losses } from '../../../kernels/loss.ts';
import { blocksIn, type Codes } from '../../../kernels/lowbits/codes.ts';
import { largestFactor } from '../../../kernels/lowbits/factors.ts';
import { toFloat32 } from '../../../kernels/views.ts';
import type { MeasuredCodes } from '../../../schemes/codes.ts';
import type { Choice } from './choose.ts';

/** Codes in a form. */
export interface Found {
  readonly choice: Choice;
  readonly codes: MeasuredCodes;
}

/** Codes in the chosen form or its alternative, read when they are needed. */
export interface KeptCodes {
  readonly choice: Choice;
  load(): Promise<MeasuredCodes>;
}

/** What is kept beside the bytes. */
interface Facts {
  readonly form: 'none' | 'own' | 'instead';
  readonly half: boolean;
  readonly signal: number;
  readonly noise: number;
}

/** The stored bytes; empty if a form has no such numbers. */
type Parts = [codes: Uint8Array, scales: Uint8Array, zeros: Uint8Array, steps: Uint8Array, factors: Uint8Array];

/** Codes as a result that can be kept; undefined ones too. */
export function resultOf(
  own: Choice,
  found: Found | undefined,
): { readonly facts: Facts | { readonly form: 'none' }; readonly parts: readonly Uint8Array[] } {
  if (found === undefined) return { facts: { form: 'none' }, parts: [] };
  const { codes, losses } = found.codes;
  const { multipliers: { steps, factors } = {} } = codes;
  const arrays = [codes.codes, codes.scales, codes.zeros, steps, factors];
  return {
    facts: {
      form: found.choice === own ? 'own' : 'instead',
      half: codes.half,
      ...{ signal: losses.signal, noise: losses.noise },
    },
    parts: arrays.map((one) => one && new Uint8Array(one.buffer, one.byteOffset, one.byteLength)).map(orNothing),
  };
}

/** The same from a result; undefined if no codes were found. @param layer - for errors */
export function codesOfResult({ facts, parts }: Result, own: Choice, layer: string): KeptCodes | undefined {
  const { form, half, signal, noise } = (facts ?? {}) as Partial<Facts>;
  if (form === 'none') return undefined;
  const choice = form === 'own' ? own : form === 'instead' ? own.instead : undefined;
  const known = [signal, noise].every(Number.isFinite) && typeof half === 'boolean';
  if (choice === undefined || !known || parts.length !== 5) throw strangeResult(layer);
  return {
    choice,
    async load() {
      const [codes, scales, zeros, steps, factors] = (await Promise.all(parts.map((one) => one()))) as Parts;
      const { bits, block, symmetric, outputs, inputs } = choice.shape;
      const made: Codes = {
        ...{ bits, block, symmetric, half: half === true, outputs, inputs, codes },
        scales: toFloat32(scales, 'float32'),
        zeros: symmetric ? undefined : zeros,
        ...(choice.form === 'multipliers' && {
          multipliers: {
            steps: toFloat32(steps, 'float32'),
            factors: new Int8Array(factors.buffer, factors.byteOffset, factors.byteLength),
          },
        }),
      };
      if (!fits(made)) throw strangeResult(layer);
      const losses = new Losses();
      losses.add({ signal: signal as number, noise: noise as number });
      return { codes: made, losses };
    },
  };
}

const orNothing = (bytes: Uint8Array | undefined): Uint8Array => bytes ?? new Uint8Array(0);

/** Whether all arrays have the lengths and value ranges of the form. */
function fits(made: Codes): boolean {
  const { outputs, inputs, bits, codes, scales, zeros, multipliers } = made;
  const count = outputs * blocksIn(made);
  const below = (list: Uint8Array, length: number): boolean => list.length === length && largest(list) < 2 ** bits;
  const finite = (list: Float32Array, length: number): boolean => list.length === length && list.every(Number.isFinite);
  const most = largestFactor(bits);
  return (
    below(codes, outputs * inputs) &&
    finite(scales, count) &&
    (zeros === undefined || below(zeros, count)) &&
    (multipliers === undefined ||
      (finite(multipliers.steps, outputs) &&
        multipliers.factors.length === count &&
        multipliers.factors.every((one) => Math.abs(one) <= most)))
  );
}

function largest(list: Uint8Array): number {
  let most = 0;
  // By index: a callback takes ten times as long.
  for (let at = 0; at < list.length; at++) most = Math.max(most, list[at] as number);
  return most;
}
