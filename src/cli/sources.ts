/** Where the verbs that run models get their inputs. */

export { fittingRandomData as randomData } from '../node/data/fitting.ts';
export { openData } from '../node/data/open.ts';
