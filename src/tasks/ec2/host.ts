import { accountOf } from '../../aws/account.js';
import { findHost } from '../../aws/instance.js';
import { defineKind } from '../../runtime/engine/kind.js';

export const host = defineKind({
  name: 'ec2.host',
  summary: 'Describes this machine as an EC2 instance',
  docs: 'On EC2, the instance metadata service identifies the instance. On the embedded EC2 and with direct volumes, this machine is the only instance; its id is not one of AWS. The task changes nothing.',
  lifetime: 'step',
  in: 'none',
  tools: {},
  permissions: { always: ['ec2:DescribeInstances'] },
  directPermissions: [],
  params: {
    type: 'object',
    additionalProperties: false,
    properties: { instance_id: { type: 'string', pattern: '^i-[0-9a-f]+$', description: 'Id of the instance, for a machine without metadata service' } },
  },
  outputs: {
    type: 'object',
    additionalProperties: false,
    required: ['instance_id', 'zone', 'region', 'account_id', 'architecture'],
    properties: {
      instance_id: { type: 'string', description: 'Id of the instance' },
      zone: { type: 'string', description: 'Availability zone' },
      region: { type: 'string', description: 'Region' },
      account_id: { type: 'string', description: 'Account that owns the instance' },
      architecture: { type: 'string', description: '`x86_64` or `arm64`' },
    },
  },
  example: {},
  run: async ({ instance_id }, context) => {
    const host = await findHost(await context.disks(), instance_id);
    return context.direct === undefined ? { ...host } : { ...host, account_id: await accountOf(await context.ec2()) };
  },
});
