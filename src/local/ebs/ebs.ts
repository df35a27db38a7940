import { randomUUID } from 'node:crypto';
import type { Here } from '../api/action.js';
import type { Ec2Error } from '../api/errors.js';
import type { FaultRule } from '../fault_injection.js';
import type { HttpRequest } from '../http/signature.js';
import type { WireEntry } from '../wire.js';
import type { EbsAction } from './action.js';
import { asEbsError, EbsError } from './errors.js';
import { answerOf, parametersOf, type RestAnswer, refusalOf, routeOf, textOf } from './protocol.js';
import { RateLimits } from './rate_limits.js';
import { readActions } from './read_blocks.js';
import { startSnapshot } from './start_snapshot.js';
import { Tokens } from './tokens.js';
import { Uploads } from './uploads.js';
import { writeActions } from './write_blocks.js';

const actions = new Map<string, EbsAction>([startSnapshot, ...writeActions, ...readActions].map((action) => [action.name, action]));

/** What answers a request. */
interface Answering {
  /** The action; for one that EBS does not have, the method and the path. */
  readonly name: string;
  run(here: Here, fault: FaultRule['fault'] | undefined): Promise<RestAnswer>;
  refuse(error: EbsError | Ec2Error): RestAnswer;
}

/** The EBS direct APIs: they write and read the blocks of snapshots. */
export class Ebs {
  private readonly uploads = new Uploads();
  private readonly rates = new RateLimits();
  /** The key of tokens, which is the same for all regions. */
  private key: Buffer | undefined;

  find(request: HttpRequest): Answering {
    const requestId = randomUUID();
    const route = routeOf(request);
    const action = route === undefined ? undefined : actions.get(route.name);
    return {
      name: route?.name ?? `${request.method} ${request.path}`,
      refuse: (error) => refusalOf(asEbsError(error), requestId),
      run: async (here, fault) => {
        if (route === undefined || action === undefined) throw new EbsError('UnknownOperationException', 'EBS has no such action.', undefined, 404);
        this.key ??= await here.store.tokenKey();
        const tokens = new Tokens(this.key, here.account);
        const context = { ...here, uploads: this.uploads, rates: this.rates, tokens, emptyPage: fault === 'empty-page' };
        return answerOf(route.name, { ...(await action.run(parametersOf(route, request) as never, context)) }, requestId);
      },
    };
  }
}

/** What the log has of a request to EBS and of its answer: everything but the data of blocks. */
export function loggedOfEbs({ method, path, query, headers, body }: HttpRequest) {
  const shown = Object.entries(headers).filter(([name]) => /^x-amz-(data-length|checksum|progress|changedblockscount)/.test(name));
  const line = `${method} ${path}${query.size > 0 ? `?${query}` : ''}`;
  return {
    request: { request: { line, headers: Object.fromEntries(shown), ...(method === 'POST' ? { body: textOf(body) } : {}) } },
    logged: (answer: RestAnswer): Partial<WireEntry> => ({
      status: answer.status,
      code: answer.headers['x-amzn-errortype'],
      headers: answer.headers,
      ...(answer.headers['content-type'] === 'application/json' ? { body: textOf(answer.body) } : {}),
    }),
  };
}
