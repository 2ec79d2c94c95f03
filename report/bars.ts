import type { ReportData, ReportRole } from '../src/cli/report/data.ts';
import { bytes, element, lossOf, lossText } from './dom.ts';

/** Bars that are drawn before the list is cut. */
const MOST = 24;

function bar(share: number, colour: string): HTMLElement {
  return element('div', {
    class: share > 0 ? 'bar' : 'bar none',
    style: `width: ${(100 * share).toFixed(2)}%; background: var(--${colour})`,
  });
}

function name(text: string): HTMLElement {
  return element('bdi', {}, text);
}

function list(label: string, parts: readonly HTMLElement[], left: number): HTMLElement[] {
  const bars = element('div', { class: 'bars', role: 'group', 'aria-label': label }, ...parts);
  return left > 0 ? [bars, element('p', { class: 'soft' }, `… and ${left} more in the table`)] : [bars];
}

/** A pair of bars for each name: before above, after below. */
function pairs(label: string, all: readonly Pair[], left = 0): HTMLElement[] {
  const most = Math.max(1, ...all.map((one) => Math.max(one.before, one.after)));
  const parts = all.flatMap((one) => [
    name(one.name),
    element('div', { class: 'pair' }, bar(one.before / most, 'before'), bar(one.after / most, 'after')),
    element('span', { class: 'number' }, `${bytes(one.before)} → ${bytes(one.after)}`),
  ]);
  return list(label, parts, left);
}

/** Bytes of one thing in the two models. */
interface Pair {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/** Where the bytes are: the largest of the changed weights, before and after, and everything else in the files. */
export function byteBars({ layers, input, output }: ReportData): HTMLElement[] {
  const sum = (side: 'before' | 'after'): number => layers.reduce((total, one) => total + one[side], 0);
  const rest = {
    name: layers.length === 0 ? 'everything' : 'everything else',
    before: Math.max(0, input.bytes - sum('before')),
    after: Math.max(0, output.bytes - sum('after')),
  };
  const sorted = layers.map((one) => ({ name: one.weight, before: one.before, after: one.after }));
  const shown = sorted.toSorted((a, b) => b.before - a.before).slice(0, MOST);
  const label = 'Bytes of the largest weights, before and after';
  return pairs(label, [...shown, rest], sorted.length - shown.length);
}

/** What the bytes are for, before and after. */
export function roleBars({ input, output }: ReportData): HTMLElement[] {
  const of = (roles: readonly ReportRole[], role: string): number => roles.find((one) => one.role === role)?.bytes ?? 0;
  const names = [...new Set([...input.roles, ...output.roles].map(({ role }) => role))];
  const all = names.map((role) => ({ name: role, before: of(input.roles, role), after: of(output.roles, role) }));
  const most = (one: Pair): number => Math.max(one.before, one.after);
  const sorted = all.toSorted((a, b) => most(b) - most(a));
  return pairs('What the bytes are for, before and after', sorted);
}

/** What the outputs lose when one layer alone is changed, in percent of the signal, the most sensitive layer first. */
export function lossBars(
  layers: readonly { readonly weight: string; readonly sqnr: number | 'Infinity' }[],
): HTMLElement[] {
  const losses = layers
    .map(({ weight, sqnr }) => ({ weight, sqnr, loss: lossOf(sqnr) }))
    .toSorted((a, b) => b.loss - a.loss);
  const most = Math.max(losses[0]?.loss ?? 0, Number.MIN_VALUE);
  const parts = losses
    .slice(0, MOST)
    .flatMap(({ weight, sqnr, loss }) => [
      name(weight),
      bar(loss / most, 'bad'),
      element('span', { class: 'number' }, sqnr === 'Infinity' ? 'none' : `${lossText(sqnr)} (${sqnr.toFixed(1)} dB)`),
    ]);
  return list('Loss of the outputs, layer by layer', parts, losses.length - MOST);
}
