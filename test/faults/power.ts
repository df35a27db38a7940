import type { Bench, Outcome } from './cases.js';
export interface PowerCase { readonly part: 'power'; readonly type: 'ext4' | 'xfs' }
export function powerCases(): PowerCase[] { return []; }
export async function tryPower(_bench: Bench, _one: PowerCase): Promise<Outcome[]> { return []; }
