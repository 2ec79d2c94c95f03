import type { ChannelLayout } from './layout.ts';

/** A contiguous part of a tensor that can be computed like a tensor of its own. */
export interface Slice {
  /** Its first element in the tensor. */
  readonly start: number;
  /** The channel of the tensor that is its channel 0. */
  readonly channel: number;
  readonly layout: ChannelLayout;
}

/** Cuts a tensor into at most `count` slices of nearly the same size; every slice has elements. */
export function cut(layout: ChannelLayout, count: number): Slice[] {
  const { outer, channels, inner } = layout;
  if (outer > 1) {
    return spans(outer, count).map(({ start, length }) => ({
      start: start * channels * inner,
      channel: 0,
      layout: { outer: length, channels, inner },
    }));
  }
  if (channels > 1) {
    return spans(channels, count).map(({ start, length }) => ({
      start: start * inner,
      channel: start,
      layout: { outer, channels: length, inner },
    }));
  }
  return spans(inner, count).map(({ start, length }) => ({
    start,
    channel: 0,
    layout: { outer, channels, inner: length },
  }));
}

/** A run of elements, rows or columns. */
export interface Span {
  readonly start: number;
  readonly length: number;
}

/** Divides `total` items into at most `count` runs of nearly the same length. */
export function spans(total: number, count: number): Span[] {
  const pieces = Math.min(total, count);
  const ends = Array.from({ length: pieces }, (_, index) => Math.round(((index + 1) * total) / pieces));
  return ends.map((end, index) => {
    const start = ends[index - 1] ?? 0;
    return { start, length: end - start };
  });
}
