import type { ReportLayer } from '../src/cli/report/data.ts';
import { bytes, element } from './dom.ts';

/** Bars that are drawn before the list is cut. */
const MOST = 24;

function bar(share: number, colour: string): HTMLElement {
  return element('div', { class: 'bar', style: `width: ${(100 * share).toFixed(2)}%; background: var(--${colour})` });
}

function name(text: string): HTMLElement {
  return element('bdi', {}, text);
}

function list(label: string, parts: readonly HTMLElement[], left: number): HTMLElement[] {
  const bars = element('div', { class: 'bars', role: 'group', 'aria-label': label }, ...parts);
  return left > 0 ? [bars, element('p', { class: 'soft' }, `… and ${left} more in the table`)] : [bars];
}

/** Where the bytes are: the largest weights, before and after. */
export function byteBars(layers: readonly ReportLayer[]): HTMLElement[] {
  const sorted = layers.toSorted((a, b) => b.before - a.before);
  const most = Math.max(1, ...layers.map((one) => Math.max(one.before, one.after)));
  const parts = sorted
    .slice(0, MOST)
    .flatMap((one) => [
      name(one.weight),
      element('div', { class: 'pair' }, bar(one.before / most, 'before'), bar(one.after / most, 'after')),
      element('span', { class: 'number' }, `${bytes(one.before)} → ${bytes(one.after)}`),
    ]);
  return list('Bytes of the largest weights, before and after', parts, sorted.length - MOST);
}

/** What the outputs lose when one layer alone is changed, in percent of the signal, the most sensitive layer first. */
export function lossBars(
  layers: readonly { readonly weight: string; readonly sqnr: number | 'Infinity' }[],
): HTMLElement[] {
  const losses = layers
    .map(({ weight, sqnr }) => ({ weight, sqnr, loss: sqnr === 'Infinity' ? 0 : 10 ** (-sqnr / 20) }))
    .toSorted((a, b) => b.loss - a.loss);
  const most = Math.max(losses[0]?.loss ?? 0, Number.MIN_VALUE);
  const parts = losses
    .slice(0, MOST)
    .flatMap(({ weight, sqnr, loss }) => [
      name(weight),
      bar(loss / most, 'bad'),
      element(
        'span',
        { class: 'number' },
        sqnr === 'Infinity' ? 'none' : `${(100 * loss).toPrecision(2)} % (${sqnr.toFixed(1)} dB)`,
      ),
    ]);
  return list('Loss of the outputs, layer by layer', parts, losses.length - MOST);
}
