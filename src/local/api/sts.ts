import { roleCredentials } from '../request_identity.js';
import { action } from './action.js';
import { Ec2Error } from './errors.js';

const getCallerIdentity = action('GetCallerIdentity', async (_, here) => ({
  Arn: `arn:aws:iam::${here.account}:user/local`,
  UserId: here.account,
  Account: here.account,
}));

const decodeAuthorizationMessage = action('DecodeAuthorizationMessage', async ({ EncodedMessage: message }) => {
  const text = Buffer.from(message, 'base64url').toString();
  if (!text.startsWith('{')) throw new Ec2Error('InvalidAuthorizationMessageException', 'Invalid authorization message');
  return { DecodedMessage: text };
});

/** Credentials of the role's account. Any client may get them, and they allow everything: policies and tags have no effect. */
const assumeRole = action(
  'AssumeRole',
  async (
    {
      RoleArn: arn,
      RoleSessionName: session,
      DurationSeconds: seconds = 3600,
      SerialNumber: serial,
      TokenCode: code,
      ExternalId: _id,
      Policy: _policy,
      PolicyArns: _arns,
      Tags: _tags,
      TransitiveTagKeys: _keys,
    },
    here,
  ) => {
    const [, account] = /^arn:aws:iam::([0-9]{12}):role\/.+$/.exec(arn) ?? [];
    if (account === undefined) throw new Ec2Error('ValidationError', `${arn} is invalid`);
    if ((serial === undefined) !== (code === undefined)) {
      throw new Ec2Error('AccessDenied', 'MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.', 403);
    }
    // Credentials of a role cannot be used to extend themselves.
    const until = Math.min(Math.floor(Date.now() / 1000) + seconds, here.until ?? Number.POSITIVE_INFINITY);
    return {
      Credentials: { ...roleCredentials(here.secretKey, account, until), Expiration: new Date(until * 1000) },
      AssumedRoleUser: {
        AssumedRoleId: `${account}:${session}`,
        Arn: `arn:aws:sts::${account}:assumed-role/${arn.split('/').at(-1)}/${session}`,
      },
    };
  },
);

export const stsActions = [getCallerIdentity, decodeAuthorizationMessage, assumeRole];
