import uPlot from 'uplot';
import type { WeightHistogram } from '../src/cli/report/data.ts';
import { colour, element } from './dom.ts';

const HEIGHT = 240;

/** Draws a chart again when its place or the colour scheme changes. */
function drawn(place: HTMLElement, draw: (width: number) => uPlot): void {
  let chart: uPlot | undefined;
  const again = (): void => {
    chart?.destroy();
    const width = place.clientWidth;
    chart = width > 0 ? draw(width) : undefined;
  };
  new ResizeObserver(again).observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
}

const axis = (): uPlot.Axis => ({
  stroke: colour('soft'),
  grid: { stroke: colour('line'), width: 1 },
  ticks: { stroke: colour('line'), width: 1 },
});

/** How the elements of a weight are spread, before and after: counts by value, the counts on a scale of logarithms. */
export function histogramChart(histogram: WeightHistogram): HTMLElement {
  const { min, max, before, after } = histogram;
  const width = (max - min) / before.length;
  const x = before.map((_, index) => min + (index + 0.5) * width);
  // log10(n + 1) shows a bin of one element beside one of a million, and an empty one at 0.
  const height = (list: readonly number[]): number[] => list.map((count) => Math.log10(count + 1));
  const place = element('div', {
    class: 'chart',
    role: 'img',
    'aria-label': 'Histogram of the weight, before and after',
  });
  const bars = uPlot.paths.bars?.({ size: [1, 100], gap: 0 });
  drawn(place, (wide) => {
    const series = (name: string, key: string, shown: string): uPlot.Series => ({
      label: name,
      stroke: colour(key),
      fill: `${colour(key)}${shown}`,
      points: { show: false },
      ...(bars === undefined ? {} : { paths: bars }),
    });
    const options: uPlot.Options = {
      width: wide,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: () => [min, max] }, y: { range: (_, __, top) => [0, Math.max(top, 1)] } },
      axes: [
        axis(),
        { ...axis(), values: (_, splits) => splits.map((one) => (Number.isInteger(one) ? powerOf(one) : '')) },
      ],
      series: [{}, series('before', 'before', '55'), series('after', 'after', '55')],
    };
    return new uPlot(options, [x, height(before), height(after)], place);
  });
  return place;
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** The bottom of the scale stands for no element at all. */
function powerOf(exponent: number): string {
  if (exponent === 0) return '0';
  return `10${[...String(exponent)].map((digit) => SUPERSCRIPTS[Number(digit)]).join('')}`;
}

/** SQNR of the outputs when each layer alone is changed, the most sensitive layer first. */
export function sensitivityChart(
  layers: readonly { readonly weight: string; readonly sqnr: number | 'Infinity' }[],
): HTMLElement {
  const finite = layers.flatMap((one) => (one.sqnr === 'Infinity' ? [] : [{ weight: one.weight, sqnr: one.sqnr }]));
  const shown = finite.toSorted((a, b) => a.sqnr - b.sqnr);
  const place = element('div', { class: 'chart', role: 'img', 'aria-label': 'SQNR of the outputs, layer by layer' });
  const bars = uPlot.paths.bars?.({ size: [0.7, 60] });
  drawn(place, (wide) => {
    const options: uPlot.Options = {
      width: wide,
      height: HEIGHT + 40,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: false, range: () => [-0.6, shown.length - 0.4] },
        y: { range: (_, low, top) => [Math.min(0, low), Math.max(top, 1)] },
      },
      axes: [
        {
          ...axis(),
          grid: { show: false },
          splits: () => shown.map((_, index) => index),
          values: () => shown.map(({ weight }) => shortened(weight, Math.floor(wide / Math.max(1, shown.length) / 7))),
        },
        { ...axis(), label: 'dB', labelSize: 20 },
      ],
      series: [
        {},
        {
          stroke: colour('after'),
          fill: colour('after'),
          points: { show: false },
          ...(bars === undefined ? {} : { paths: bars }),
        },
      ],
    };
    return new uPlot(options, [shown.map((_, index) => index), shown.map((one) => one.sqnr)], place);
  });
  return place;
}

/** The end of a name, which tells layers apart, in so many letters. */
function shortened(name: string, letters: number): string {
  if (name.length <= letters) return name;
  return letters < 4 ? '' : `…${name.slice(-(letters - 1))}`;
}
