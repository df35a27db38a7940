import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { isOfEbs, type RestAnswer } from './ebs/protocol.js';
import type { HttpRequest } from './http/signature.js';
import type { WireAnswer } from './wire.js';

/** A request as the SDK's clients serialize it. */
interface SdkRequest {
  readonly method?: string;
  readonly path?: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** What answers requests. */
interface Answering {
  answer(form: string, headers?: Readonly<Record<string, string>>): Promise<WireAnswer>;
  answerEbs(request: HttpRequest): Promise<RestAnswer>;
}

/** The SDK's `requestHandler`, for clients of EC2, STS and EBS: receives serialized requests and returns unparsed answers. */
export function sdkHandler(ec2: Answering) {
  return {
    handle: async (request: SdkRequest, { abortSignal }: { readonly abortSignal?: { readonly aborted: boolean } } = {}) => {
      if (abortSignal?.aborted) throw Object.assign(new Error('Request aborted'), { name: 'AbortError' });
      return { response: isOfEbs(request.path ?? '/') ? await ofEbs(ec2, request) : await ofEc2(ec2, request) };
    },
  };
}

async function ofEc2(ec2: Answering, { body: form, headers }: SdkRequest) {
  const { status, body } = await ec2.answer(String(form ?? ''), headers);
  return { statusCode: status, headers: { 'content-type': 'text/xml;charset=UTF-8' }, body: Buffer.from(body) };
}

async function ofEbs(ec2: Answering, { method = 'GET', path = '/', query = {}, headers = {}, body }: SdkRequest) {
  const answer = await ec2.answerEbs({
    method,
    path,
    query: new URLSearchParams(Object.entries(query).flatMap(([name, value]) => [value ?? ''].flat().map((one): [string, string] => [name, one]))),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
    body: await bytesOf(body),
  });
  // The SDK reads the data of a block from a stream.
  const isBlock = answer.headers['content-type'] === 'application/octet-stream';
  return { statusCode: answer.status, headers: answer.headers, body: isBlock ? Readable.from([answer.body]) : answer.body };
}

async function bytesOf(body: unknown): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return body;
  return body instanceof Readable ? buffer(body) : Buffer.from(String(body ?? ''));
}
