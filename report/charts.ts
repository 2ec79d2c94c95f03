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
export function histogramChart(histogram: WeightHistogram, weight: string): HTMLElement {
  const { min, max, before, after } = histogram;
  const width = (max - min) / before.length;
  const x = before.map((_, index) => min + (index + 0.5) * width);
  // log10(n + 1) shows a bin of one element beside one of a million, and an empty one at 0.
  const height = (list: readonly number[]): number[] => list.map((count) => Math.log10(count + 1));
  const place = element('div', {
    class: 'chart',
    role: 'img',
    'aria-label': `Histogram of ${weight}, before and after`,
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
      // Before is filled, after is a line over it: neither hides the other.
      series: [{}, { ...series('before', 'before', '88'), width: 0 }, { ...series('after', 'after', '00'), width: 2 }],
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
