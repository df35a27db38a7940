import type { Here } from '../api/action.js';
import type { Answers, Requests } from '../api/model/ebs.js';
import type { RateLimits } from './rate_limits.js';
import type { Tokens } from './tokens.js';
import type { Uploads } from './uploads.js';

/** The context of EBS actions. */
export interface EbsHere extends Here {
  readonly uploads: Uploads;
  readonly tokens: Tokens;
  readonly rates: RateLimits;
  /** Whether an injected fault makes a page of a list empty. */
  readonly emptyPage: boolean;
}

/** An action of EBS. */
export interface EbsAction {
  readonly name: keyof Requests;
  run(request: never, here: EbsHere): Promise<object>;
}

export function ebsAction<N extends keyof Requests>(name: N, run: (request: Requests[N], here: EbsHere) => Promise<Answers[N]>): EbsAction {
  return { name, run: run as EbsAction['run'] };
}
