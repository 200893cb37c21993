/** Everybody who can announce rules, in the order of the table. */
import { bird } from './bird.ts';
import type { Contender } from './driver.ts';
import { exabgp } from './exabgp.ts';
import { gobgp } from './gobgp.ts';
import { floor, speaker } from './ours.ts';

export const CONTENDERS: readonly Contender[] = [floor, speaker, bird, gobgp, exabgp];
