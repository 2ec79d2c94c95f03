/** The results recorded by scripts/reference_gptq.py. */
import { readFileSync } from 'node:fs';
import { blocksIn, type Codes, middleOf } from '../../../src/kernels/lowbits/codes.ts';
import type { Hessian } from '../../../src/kernels/lowbits/hessian.ts';

export interface Case extends Pick<Codes, 'bits' | 'block' | 'symmetric' | 'half'> {
  start: { scales: string; zeros?: string; factors?: string; steps?: string };
  swept: string;
  codes: string;
  scales: string;
  cost: number;
}
export interface Layer {
  outputs: number;
  inputs: number;
  count: number;
  weight: string;
  activations: string;
  awq: { strength: string; power: number; factors: string; cost: number };
  cases: Case[];
}

const url = new URL('../../../fixtures/reference/gptq.json', import.meta.url);
export const layers = JSON.parse(readFileSync(url, 'utf8')) as Layer[];
export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
export const floats = (text: string): Float32Array => new Float32Array(bytes(text).buffer);

/** `XᵀX / n`. */
export function gramOf(rows: ArrayLike<number>, inputs: number): Float64Array {
  const gram = new Float64Array(inputs * inputs);
  for (let at = 0; at < rows.length; at += inputs) {
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        const index = i * inputs + j;
        const product = (rows[at + i] as number) * (rows[at + j] as number);
        gram[index] = (gram[index] as number) + (product * inputs) / rows.length;
      }
    }
  }
  return gram;
}

/** The Hessian in the original order of its inputs. */
export function hessianOf({ inputs, order, ordered }: Hessian): Float64Array {
  const matrix = new Float64Array(inputs * inputs);
  ordered.forEach((value, at) => {
    const [row, column] = [order[Math.floor(at / inputs)] as number, order[at % inputs] as number];
    matrix[row * inputs + column] = value;
  });
  return matrix;
}

/** `tr((W − Q) H (W − Q)ᵀ)` */
export function costOf(matrix: Float32Array, made: Codes, h: Float64Array): number {
  const { outputs, inputs, block, codes, scales, zeros } = made;
  const blocks = blocksIn(made);
  const reals = Float64Array.from(codes, (code, at) => {
    const group = Math.floor(at / inputs) * blocks + Math.floor((at % inputs) / block);
    return (code - (zeros?.[group] ?? middleOf(made.bits))) * (scales[group] as number);
  });
  let sum = 0;
  for (let row = 0; row < outputs; row++) {
    for (let i = 0; i < inputs; i++) {
      for (let j = 0; j < inputs; j++) {
        const [a, b] = [row * inputs + i, row * inputs + j];
        const left = (matrix[a] as number) - (reals[a] as number);
        sum += left * (h[i * inputs + j] as number) * ((matrix[b] as number) - (reals[b] as number));
      }
    }
  }
  return sum;
}
