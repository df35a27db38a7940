import { ConnectionLost, type FaultRule } from '../fault_injection.js';
import { EbsError, invalid, noSnapshot } from './errors.js';

/** The error that a fault causes in a request to EBS. Source: EBS direct APIs reference, errors of each action. */
export function ebsRefusal(fault: FaultRule['fault'], action: string): Error {
  switch (fault) {
    case 'denied':
      return new EbsError('AccessDeniedException', `You are not authorized to perform ebs:${action}.`, 'UNAUTHORIZED_ACCOUNT');
    case 'throttled':
      return new EbsError('RequestThrottledException', 'The request was throttled.', 'ACCOUNT_THROTTLED');
    case 'limit':
      return action === 'StartSnapshot'
        ? new EbsError('ConcurrentLimitExceededException', 'You have reached the limit of pending snapshots.')
        : new EbsError('ServiceQuotaExceededException', 'You have reached a quota.', 'DEPENDENCY_SERVICE_QUOTA_EXCEEDED');
    case 'error-before':
    case 'error-after':
      return new EbsError('InternalServerException', 'An internal error has occurred.');
    case 'unavailable':
      return new EbsError('ServiceUnavailableException', 'The service is temporarily unavailable.', undefined, 503);
    case 'not-found':
      return noSnapshot('snap-ffffffff');
    case 'expired':
      return new EbsError('ExpiredTokenException', 'The security token included in the request is expired', undefined, 403);
    case 'stale-token':
      return action === 'GetSnapshotBlock'
        ? invalid('INVALID_BLOCK_TOKEN', 'The block token is invalid or has expired.')
        : invalid('INVALID_PAGE_TOKEN', 'The page token is invalid or has expired.');
    case 'lost-before':
    case 'lost-after':
      return new ConnectionLost('socket hang up');
    case 'slow':
    case 'empty-page':
      throw new Error(`internal error: the fault ${fault} is not a refusal`);
  }
}
