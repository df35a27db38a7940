import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { localEc2 } from '../../src/cli/embedded_ec2.js';
import { actions } from '../../src/local/api/model/shapes.js';
import { ec2Actions, stsActions } from '../../src/local/api/served.js';
import { inFolder } from '../support/folder.js';
import { repository } from '../support/program.js';
import { suite } from '../support/suite.js';

/** EC2's code and words of a refusal. */
async function refusals(requests: readonly string[]): Promise<string[]> {
  let said: string[] = [];
  await inFolder({}, async (folder) => {
    const local = localEc2(folder, 'local-1');
    const all = await Promise.all(requests.map((request) => local.answer(request)));
    said = all.map(({ body }) => /<Code>(.*)<\/Code><Message>(.*)<\/Message>/.exec(body)?.slice(1).join(': ') ?? 'no refusal');
  });
  return said;
}

suite("the embedded EC2 by AWS's model", (test) => {
  test('what EC2 does not have is refused as EC2 does, and what is not served by saying so', async () => {
    const create = 'Action=CreateVolume&AvailabilityZone=local-1a&Size=1';
    const [notServed = '', ...others] = await refusals([
      'Action=RunInstances',
      'Action=RunInstance',
      `${create}&OutpostArn=arn`,
      `${create}&Outpost=arn`,
      `${create}&VolumeType=gp9`,
      'Action=RegisterImage&Name=abc&BlockDeviceMapping.1.Ebs.VolumeType=gp9',
      'Action=DeleteVolume',
      'Action=EnableImageDeprecation&ImageId=ami-0123456789abcdef0&DeprecateAt=soon',
    ]);
    assert.match(
      notServed,
      /^NotImplemented: The embedded EC2 does not support the action RunInstances\. It supports AttachVolume, CopyImage, .*ResetImageAttribute\.$/,
    );
    assert.equal(others, [
      'InvalidAction: The action RunInstance is not valid for this web service.',
      'UnsupportedOperation: The embedded EC2 does not support the parameter OutpostArn.',
      'UnknownParameter: The parameter Outpost is not recognized',
      'InvalidParameterValue: Value (gp9) for parameter VolumeType is invalid. Valid values are gp2, gp3, io1, io2, sc1, st1, standard',
      'InvalidParameterValue: Value (gp9) for parameter BlockDeviceMapping.1.Ebs.VolumeType is invalid. Valid values are gp2, gp3, io1, io2, sc1, st1, standard',
      'MissingParameter: The request must contain the parameter VolumeId',
      "InvalidParameterValue: Invalid value 'soon' for DeprecateAt. It is not of type timestamp",
    ]);
  });

  test('every action that is there has its parameters from the model, and the other way round', () => {
    assert.equal(Object.keys(actions).sort(), [...ec2Actions.keys(), ...stsActions.keys()].sort());
  });

  test('what is accepted and changes nothing is only what has nothing to change here', () => {
    const folder = join(repository, 'src/local/api');
    const sources = readdirSync(folder).filter((name) => name.endsWith('.ts'));
    // A name that begins with _ is the one way to accept a parameter unread: the compiler refuses all others.
    const unread = sources.flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(/\b([A-Z]\w+): _\w*/g)].map(([, parameter]) => parameter));
    const ofRoles = ['ExternalId', 'Policy', 'PolicyArns', 'Tags', 'TransitiveTagKeys'];
    assert.equal(unread.sort(), [...ofRoles, 'AllAvailabilityZones', 'IncludeAllInstances', 'NoReboot'].sort());
  });
});
