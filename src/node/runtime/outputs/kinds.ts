import type { ValueInfo } from '../../../ir/graph.ts';
import type { Model } from '../../../ir/model.ts';
import { Scopes } from '../scope.ts';
import { isCache } from './caches.ts';
import { type Head, Heads } from './head.ts';

/** The class axis of an output that has a number for each class. */
export interface Classes {
  /** Negative counts from the end. */
  readonly axis: number;
  /**
   * Number of classes, or more if some are cut off. An output with another length along the axis has no classes. Any
   * length if omitted.
   */
  readonly length?: number;
  /** True if the output has no other axis but rows, such as pooled image features. */
  readonly alone?: true;
}

/** What an output of a model is for. */
export interface OutputKind {
  readonly name: string;
  /** Absent if the output has no classes: an image, an embedding, coordinates. */
  readonly classes?: Classes;
  /** True for a state that is fed to the next step. */
  readonly cache?: true;
}

/**
 * Finds the outputs with classes from the graph. They come from a Softmax that is not attention inside the network, or
 * from the last layer with weights, followed by at most a bias, a cast or a reshape. That layer may hold scores or
 * coordinates; other outputs, and names, can rule classes out.
 */
export function outputKinds(model: Model): readonly OutputKind[] {
  const scopes = new Scopes(model);
  const heads = new Heads(scopes, model.opset);
  const { outputs } = model.graph;
  const found = outputs.map((output) => {
    const head = heads.of(output.name);
    // A probability is a result, whatever its name.
    const isResult = head?.kind === 'softmax' || head?.kind === 'sigmoid';
    return { output, head, cache: !isResult && isCache(scopes, output.name) };
  });
  // If all outputs are states, they are the model's results.
  const carried = found.every((one) => one.cache) ? [] : found.filter((one) => one.cache);
  const others = found.filter((one) => !carried.includes(one));
  return found.map(({ output, head }): OutputKind => {
    const { name } = output;
    if (carried.some((one) => one.output === output)) return { name, cache: true };
    const classes = classesOf(output, head, others, model.graph.fedInputs);
    return classes === undefined ? { name } : { name, classes };
  });
}

type Found = { readonly output: ValueInfo; readonly head: Head | undefined };

function classesOf(
  output: ValueInfo,
  head: Head | undefined,
  outputs: readonly Found[],
  inputs: readonly ValueInfo[],
): Classes | undefined {
  const { name, dims } = output;
  const isNamed = SCORES.test(name);
  if (head === undefined) {
    // Scores of pairs, or of positions in a text, do not come from a layer.
    return isNamed && (dims === undefined || dims.length <= 3) ? { axis: -1 } : undefined;
  }
  const { kind, axis, length } = head;
  const classes: Classes = { axis, ...(length === undefined ? {} : { length }) };
  if (kind === 'softmax') return classes;
  if (kind === 'sigmoid') return undefined;
  if (isNamed) return classes;
  if (isOther(name) || isRegression(head, outputs) || isSame(output, head, inputs)) return undefined;
  if (length !== undefined && length < 2) return undefined;
  if (kind === 'linear') return classes;
  const isPicture = dims?.some((dim, at) => at > 0 && at !== axis && dim !== 1) === true;
  return isPicture ? undefined : { ...classes, alone: true };
}

/** Names of outputs with class scores, whatever computes them. */
const SCORES = /logit/i;
/** Words in names of outputs without class scores. */
const OTHERS = new RegExp(
  `^(${[
    'embed\\w*|features?|hidden|pool\\w*|repr\\w*|vectors?|latents?|states?|audio|wav\\w*|speech|mel|mels|spectro\\w*',
    '|(b|bb)?ox(es)?|coord\\w*|landmarks?|keypoints?|kpts?|poses?|angles?|offsets?|deltas?',
    '|loc|locs|locations?|regress\\w*',
    '|recon\\w*|mean|mu|sigma|var|logvar|std',
  ].join('')})$`,
);

function isOther(name: string): boolean {
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/);
  return words.some((one) => OTHERS.test(one));
}

/** Numbers of a box. */
const BOX = 4;

/**
 * Whether other outputs show that this one is a regression: theirs go through a Softmax or a Sigmoid and this one does
 * not, or it has the four numbers of a box and they have other numbers.
 */
function isRegression(head: Head, outputs: readonly Found[]): boolean {
  const others = outputs.flatMap(({ head: one }) =>
    one === undefined || one.layer?.node === head.layer?.node ? [] : [one],
  );
  const own = outputs.some(({ head: one }) => one !== head && one?.layer?.node === head.layer?.node && isShare(one));
  if (own) return false;
  return others.some((one) => isShare(one) || (head.length === BOX && one.length !== BOX));
}

/**
 * Whether numbers are class probabilities: a Sigmoid of one number is a yes or no, and one of four is a box relative to
 * its image.
 */
function isShare(head: Head | undefined): boolean {
  const width = head?.layer?.width;
  return head?.kind === 'softmax' || (head?.kind === 'sigmoid' && width !== 1 && width !== BOX);
}

/**
 * Whether an output has the dims of a float input with more than one layer in between: it is that input, cleaned or
 * predicted.
 */
function isSame({ dims }: ValueInfo, { layer }: Head, inputs: readonly ValueInfo[]): boolean {
  if (typeof dims?.at(-1) !== 'number' || inputs.some((one) => one.name === layer?.reads)) return false;
  return inputs.some(
    ({ dtype, dims: given }) =>
      dtype?.includes('float') && given?.length === dims.length && given.every((dim, axis) => dim === dims[axis]),
  );
}
