import type { Ec2Error } from '../api/errors.js';
import { errors, type ValidationExceptionReason } from '../api/model/ebs.js';

/** A refusal with the code and the reason of EBS. Source: EBS direct APIs reference, errors of each action. */
export class EbsError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly reason?: string,
    readonly status: number = (errors as Readonly<Record<string, number>>)[code] ?? 400,
  ) {
    // Source: the same reference, `ErrorMessage`: at most 256 characters.
    super(message.length > 256 ? `${message.slice(0, 255)}…` : message);
    this.name = 'EbsError';
  }
}

export function invalid(reason: ValidationExceptionReason, message: string): EbsError {
  return new EbsError('ValidationException', message, reason);
}

export function noSnapshot(id: string): EbsError {
  return new EbsError('ResourceNotFoundException', `The snapshot '${id}' does not exist.`, 'SNAPSHOT_NOT_FOUND');
}

/** What EBS answers where EC2 answers with a code. Source: AWS General Reference, "Common errors"; the codes of services with JSON. */
const codes: Readonly<Record<string, readonly [string, number]>> = {
  AuthFailure: ['InvalidSignatureException', 403],
  SignatureDoesNotMatch: ['InvalidSignatureException', 403],
  IncompleteSignature: ['IncompleteSignatureException', 403],
  MissingAuthenticationToken: ['MissingAuthenticationTokenException', 403],
  RequestExpired: ['ExpiredTokenException', 403],
  InternalError: ['InternalServerException', 500],
};

/** A refusal of something that the services share, such as the signature, as EBS answers it. */
export function asEbsError(error: EbsError | Ec2Error): EbsError {
  if (error instanceof EbsError) return error;
  const [code, status] = codes[error.code] ?? [error.code, error.status];
  return new EbsError(code, error.message, undefined, status);
}
