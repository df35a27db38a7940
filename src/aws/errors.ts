/** EC2's code of a refusal, e.g. `InvalidVolume.NotFound`; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  // The SDK hangs its metadata on errors of the network too; only an answer has a status.
  const status = (error as { $metadata?: { httpStatusCode?: number } } | null)?.$metadata?.httpStatusCode;
  return error instanceof Error && status !== undefined ? error.name : undefined;
}

/** Whether EC2 says that a thing does not exist. */
export function isNotFound(error: unknown): boolean {
  return /^Invalid\w+\.(NotFound|Unavailable)$/.test(codeOf(error) ?? '');
}

/**
 * Whether EC2 refuses something because of a limit that passes by itself, once what is under way has ended.
 * Source: EC2 API reference, "Error codes for the Amazon EC2 API".
 */
export function isPassingLimit(error: unknown): boolean {
  return /^(ResourceLimitExceeded|SnapshotCreationPerVolumeRateExceeded|ConcurrentSnapshotLimitExceeded|PendingSnapshot\w*|ConcurrentTagAccess)$/.test(
    codeOf(error) ?? '',
  );
}

/** Whether EC2 says no for good, so that asking again is of no use. */
export function isRefusal(error: unknown): boolean {
  return (
    isExpiry(error) ||
    hasNoKeys(error) ||
    /^(UnauthorizedOperation|AuthFailure|AccessDenied|InvalidClientTokenId|SignatureDoesNotMatch|OptInRequired|Blocked)/.test(codeOf(error) ?? '')
  );
}

/** Whether there are no credentials to ask with, or no new ones. Source: the SDK's provider chain. */
export function hasNoKeys(error: unknown): boolean {
  return error instanceof Error && /^(CredentialsProviderError|TokenProviderError)$/.test(error.name);
}

/** Errors of requests that were refused at every try. */
const withoutEffect = new WeakSet<Error>();

/** Keeps in mind of a refusal that no earlier try of the same request can have had an effect. */
export function markWithoutEffect(error: Error): void {
  withoutEffect.add(error);
}

/** Whether an error of a call says that it was refused, and no earlier try of it can have had an effect. */
export function changedNothing(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && withoutEffect.has(error.cause);
}

/** The same error, of which nobody can say that nothing was changed. */
export function notSure(error: Error): Error {
  return new Error(error.message, { cause: error });
}

/** Whether EC2 says that the credentials are too old. */
export function isExpiry(error: unknown): boolean {
  return /^(RequestExpired|ExpiredToken)/.test(codeOf(error) ?? '');
}

/** Whether the answer of a call was lost, so that what it asked for may have been done. */
export function isLost(error: unknown): boolean {
  const code = codeOf(error);
  return code === undefined || /^(Internal|ServiceUnavailable|Unavailable|RequestTimeout|TimeoutError)/.test(code);
}

/** Whether EC2 has too much to do, and has done nothing. */
export function isThrottling(error: unknown): boolean {
  return /Throttl|RequestLimitExceeded|TooManyRequests/.test(codeOf(error) ?? '');
}

/** An error of EC2 told with the call it came from, and with what would help. */
export function inCall(call: string, error: unknown): Error {
  const code = codeOf(error);
  const { message } = error as Error;
  const help =
    code === 'UnauthorizedOperation'
      ? `\n  help: the permission ec2:${call} is missing`
      : isExpiry(error) || hasNoKeys(error)
        ? '\n  help: there are no credentials that are good: renew them, and try again'
        : '';
  return new Error(`${call}: ${code === undefined || message.startsWith(code) ? '' : `${code}: `}${message}${help}`, { cause: error });
}
