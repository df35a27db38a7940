import type { EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { STSClientConfig } from '@aws-sdk/client-sts';
import type { Cloud } from '../dsl/recipe/types.js';
import { nowhere } from './credentials.js';
import { codeOf } from './errors.js';

/** Replaces EC2's encoded reason for a missing permission by a sentence; unchanged if the caller may not decode it. */
export async function decodeRefusal(
  error: unknown,
  { credentials, region, requestHandler, endpoint }: EC2ClientConfig,
  { sts_endpoint }: Cloud,
): Promise<void> {
  if (!(error instanceof Error) || codeOf(error) !== 'UnauthorizedOperation') return;
  const [whole, encoded] = /\s*Encoded authorization failure message:\s*(\S+)/.exec(error.message) ?? [];
  if (whole === undefined) return;
  try {
    const { STSClient, DecodeAuthorizationMessageCommand } = await import('./sdk_sts.js');
    // A custom endpoint serves only EC2; only the embedded EC2 is known to serve STS too.
    const here = endpoint === nowhere ? { endpoint } : sts_endpoint === undefined ? {} : { endpoint: sts_endpoint };
    const handler = requestHandler === undefined ? {} : { requestHandler };
    const sts = new STSClient({ credentials, region, ...here, ...handler } as STSClientConfig);
    const { DecodedMessage: text } = await sts.send(new DecodeAuthorizationMessageCommand({ EncodedMessage: encoded }));
    const { explicitDeny, context } = JSON.parse(text ?? '{}') as Decoded;
    const why = explicitDeny ? 'a policy denies it' : 'no policy allows it';
    error.message = error.message.replace(whole, ` ${context?.principal?.arn} may not ${context?.action} on ${context?.resource}: ${why}.`);
  } catch {
    error.message = error.message.replace(whole, ' (to read why, allow sts:DecodeAuthorizationMessage)');
  }
}

interface Decoded {
  readonly explicitDeny?: boolean;
  readonly context?: { readonly principal?: { readonly arn?: string }; readonly action?: string; readonly resource?: string };
}
