import { roleCredentials } from '../request_identity.js';
import { type Action, action, required } from './action.js';
import { Ec2Error } from './errors.js';

const getCallerIdentity = action({}, async (_, here) => ({
  Arn: `arn:aws:iam::${here.account}:user/local`,
  UserId: here.account,
  Account: here.account,
}));

const decodeAuthorizationMessage = action({ EncodedMessage: 'string' }, async (request) => {
  const text = Buffer.from(required(request.EncodedMessage, 'EncodedMessage'), 'base64url').toString();
  if (!text.startsWith('{')) throw new Ec2Error('InvalidAuthorizationMessageException', 'Invalid authorization message');
  return { DecodedMessage: text };
});

/** Credentials of the role's account; whoever may ask may have them. */
const assumeRole = action(
  {
    RoleArn: 'string',
    RoleSessionName: 'string',
    DurationSeconds: 'integer',
    ExternalId: 'string',
    Policy: 'string',
    PolicyArns: { member: [{ arn: 'string' }] },
    Tags: { member: [{ Key: 'string', Value: 'string' }] },
    TransitiveTagKeys: { member: ['string'] },
    SerialNumber: 'string',
    TokenCode: 'string',
  },
  async (request, here) => {
    const arn = required(request.RoleArn, 'RoleArn');
    const [, account] = /^arn:aws:iam::([0-9]{12}):role\/.+$/.exec(arn) ?? [];
    if (account === undefined) throw new Ec2Error('ValidationError', `${arn} is invalid`);
    if ((request.SerialNumber === undefined) !== (request.TokenCode === undefined)) {
      throw new Ec2Error('AccessDenied', 'MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.', 403);
    }
    const seconds = request.DurationSeconds ?? 3600;
    // Whoever has seen credentials of a role cannot prolong them.
    const until = Math.min(Math.floor(Date.now() / 1000) + seconds, here.until ?? Number.POSITIVE_INFINITY);
    return {
      Credentials: { ...roleCredentials(here.secretKey, account, until), Expiration: new Date(until * 1000) },
      AssumedRoleUser: {
        AssumedRoleId: `${account}:${request.RoleSessionName}`,
        Arn: `arn:aws:sts::${account}:assumed-role/${arn.split('/').at(-1)}/${request.RoleSessionName}`,
      },
    };
  },
);

export const stsActions: Readonly<Record<string, Action>> = {
  GetCallerIdentity: getCallerIdentity,
  DecodeAuthorizationMessage: decodeAuthorizationMessage,
  AssumeRole: assumeRole,
};
