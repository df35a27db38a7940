import type { Action } from './action.js';
import { attachmentActions } from './attachments.js';
import { copyActions } from './copies.js';
import { Ec2Error } from './errors.js';
import { fromInstanceActions } from './from_instance.js';
import { imageAttributeActions } from './image_attributes.js';
import { imageActions } from './images.js';
import { instanceActions } from './instances.js';
import { actionNames } from './model/names.js';
import { regionActions } from './regions.js';
import { snapshotActions } from './snapshots.js';
import { statusActions } from './status.js';
import { stsActions as ofSts } from './sts.js';
import { tagActions } from './tags.js';
import { volumeModificationActions } from './volume_modifications.js';
import { volumeActions } from './volumes.js';

/** The supported actions. */
export const ec2Actions = byName([
  ...instanceActions,
  ...volumeActions,
  ...attachmentActions,
  ...snapshotActions,
  ...imageActions,
  ...imageAttributeActions,
  ...copyActions,
  ...regionActions,
  ...tagActions,
  ...volumeModificationActions,
  ...fromInstanceActions,
  ...statusActions,
]);

export const stsActions = byName(ofSts);

/** The action with a name. @throws Ec2Error when it is not supported. */
export function actionOf(name: string, service: 'ec2' | 'sts'): Action {
  if (name === '') throw new Ec2Error('MissingAction', 'The request is missing an action.');
  const action = (service === 'ec2' ? ec2Actions : stsActions).get(name);
  if (action === undefined) throw notServed(name, service);
  return action;
}

function byName(actions: readonly Action[]): ReadonlyMap<string, Action> {
  return new Map(actions.map((action) => [action.name, action]));
}

/** EC2's answer for an action that does not exist. For an EC2 action that is not supported, the answer lists those that are. */
function notServed(name: string, service: 'ec2' | 'sts'): Ec2Error {
  if (service === 'sts' || !` ${actionNames} `.includes(` ${name} `))
    return new Ec2Error('InvalidAction', `The action ${name} is not valid for this web service.`);
  return new Ec2Error('NotImplemented', `The embedded EC2 does not support the action ${name}. It supports ${[...ec2Actions.keys()].sort().join(', ')}.`);
}
