// The search of Sphinx ignores numbers. A search for a status, such as 429, finds its error instead.
{
  const errors = {
    400: "BadRequestError", 401: "AuthenticationError", 402: "PaymentRequiredError", 403: "PermissionDeniedError",
    404: "NotFoundError", 409: "ConflictError", 413: "PayloadTooLargeError", 422: "BadRequestError",
    429: "RateLimitError", 500: "ServerError", 502: "ServerError", 503: "ServerError", 504: "ServerError",
  }
  const words = new URLSearchParams(location.search).get("q")
  if (location.pathname.endsWith("search.html") && words in errors) location.replace("?q=" + errors[words])
}
