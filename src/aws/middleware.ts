import type { EBSClient } from '@aws-sdk/client-ebs';
import type { EC2Client, EC2ClientConfig } from '@aws-sdk/client-ec2';
import type { Cloud } from '../dsl/recipe/types.js';
import type { ApiMetrics } from './api_metrics.js';
import { decodeRefusal } from './authorization.js';
import type { Credentials } from './credentials.js';
import { codeOf, hasNoKeys, isExpiry, isLost, markWithoutEffect } from './errors.js';

/** What the middleware of a client needs. */
export interface Surroundings {
  readonly metrics: ApiMetrics;
  readonly credentials: Credentials;
  readonly config: EC2ClientConfig;
  readonly cloud: Cloud;
}

/** Requests of which an attempt got no answer, so that its effect is unknown. */
const unsure = new WeakSet<object>();

/** Adds middleware that counts requests, renews expired credentials, and decodes why a request is not allowed. */
export function prepare<C extends EC2Client | EBSClient>(client: C, { metrics, credentials, config, cloud }: Surroundings): C {
  // The clients differ only in the types of requests, which these do not read.
  const { middlewareStack } = client as EC2Client;
  middlewareStack.add(
    (next, context) => async (args) => {
      metrics.called(String(context.commandName).replace(/Command$/, ''));
      try {
        return await next(args);
      } catch (error) {
        if (isLost(error)) unsure.add(context);
        throw error;
      }
    },
    // High priority: outside the SDK's own deserializer, which turns answers such as HTTP 500 into errors.
    { step: 'deserialize', priority: 'high', name: 'countCalls' },
  );
  middlewareStack.add(
    (next, context) => async (args) => {
      try {
        try {
          return await next(args);
        } catch (error) {
          if (!isExpiry(error)) throw error;
          credentials.renew();
          return await next(args);
        }
      } catch (error) {
        await decodeRefusal(error, config, cloud);
        if (!unsure.has(context) && (hasNoKeys(error) || (codeOf(error) !== undefined && !isLost(error)))) markWithoutEffect(error as Error);
        throw error;
      }
    },
    { step: 'initialize', name: 'renewAndDecode' },
  );
  return client;
}
