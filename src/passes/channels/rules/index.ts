import type { Rules } from '../analysis.ts';
import { convolution } from './convolution.ts';
import { elementwise } from './elementwise.ts';
import { joining } from './joining.ts';
import { normalization } from './normalization.ts';
import { picking } from './picking.ts';
import { pooling } from './pooling.ts';
import { products } from './products.ts';
import { quantized } from './quantized.ts';
import { reshaping } from './reshaping.ts';
import { resizing } from './resizing.ts';
import { shapes } from './shapes.ts';
import { slicing } from './slicing.ts';

/** The operators whose channels are followed, of the standard domain. */
export const RULES: Rules = {
  ...convolution,
  ...products,
  ...normalization,
  ...elementwise,
  ...picking,
  ...pooling,
  ...joining,
  ...reshaping,
  ...resizing,
  ...shapes,
  ...slicing,
  ...quantized,
};
