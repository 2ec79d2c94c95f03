/** Where the verbs that run models get their inputs. */
export { fittingRandomData as randomData } from '../runtime/data/fitting.ts';
export { openData } from '../runtime/data/open.ts';
