import type { Outcome } from './cases.js';
import type { Planned } from './plan.js';
export function writePage(_planned: Planned, _outcomes: readonly Outcome[]): void {}
