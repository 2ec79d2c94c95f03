/** Where the verbs that run models get their inputs. */
export { openData } from '../runtime/data/open.ts';
export { randomData } from '../runtime/data/random.ts';
