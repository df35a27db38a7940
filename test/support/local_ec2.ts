import { localEc2 } from '../../src/cli/embedded_ec2.js';
import type { LocalEc2 } from '../../src/local/ec2.js';

/** How to ask the embedded EC2 whose state is in a folder: as an account, in a region; gives what is in the answer, once disks are copied. */
export function asker(folder: string) {
  const local = localEc2(folder, 'local-1');
  const ask = askerOf(local);
  return async (...request: Parameters<typeof ask>) => {
    const answer = await ask(...request);
    // On a busy machine the copying of a disk may take longer than its answer.
    await local.settled();
    return answer;
  };
}

/** As {@link asker}, while disks are still copied. */
export function askerOf(local: LocalEc2) {
  return async (action: string, parameters: Readonly<Record<string, string>> = {}, { account = '000000000000', region = 'local-1' } = {}) => {
    const authorization = `AWS4-HMAC-SHA256 Credential=${account}/20260101/${region}/ec2/aws4_request`;
    const { body } = await local.answer(new URLSearchParams({ Action: action, ...parameters }).toString(), { authorization });
    const [, code, message] = /<Code>(.*?)<\/Code><Message>(.*?)<\/Message>/.exec(body) ?? [];
    const all = (name: string) => [...body.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, value = '']) => value);
    return {
      body,
      code,
      refusal: code === undefined ? 'none' : `${code}: ${message?.replaceAll('&quot;', '"')}`,
      all,
      one: (name: string) => all(name)[0] ?? '',
    };
  };
}

export type Ask = ReturnType<typeof asker>;
