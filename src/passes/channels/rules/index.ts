import type { Node } from '../../../ir/node.ts';
import type { Analysis } from '../analysis.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { joining } from './joining.ts';
import { normalization } from './normalization.ts';
import { pooling } from './pooling.ts';
import { products } from './products.ts';
import { quantized } from './quantized.ts';
import { reshaping } from './reshaping.ts';
import { resizing } from './resizing.ts';
import { shapes } from './shapes.ts';
import { slicing } from './slicing.ts';

/**
 * How channels pass an operator: a rule couples the axes of what the node reads, states what it knows about the
 * outputs, and pins what cannot go. What it does not speak about is pinned or unknown.
 */
export type Rule = (node: Node, a: Analysis) => void;
export type Rules = Readonly<Record<string, Rule>>;

/** The operators whose channels are followed, of the standard domain. */
export const RULES: Rules = {
  ...convolution,
  ...products,
  ...normalization,
  ...elementwise,
  ...pooling,
  ...joining,
  ...reshaping,
  ...resizing,
  ...shapes,
  ...slicing,
  ...quantized,
};
