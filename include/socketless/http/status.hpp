// HTTP status codes: their words, and the one that answers an error of a reader.
#pragma once

#include <socketless/core/error.hpp>

#include <string_view>

#include <socketless/core/detail/prologue.hpp>

namespace socketless::inline v0::http {

/// The words that go with a status code; empty for one that has none. Source: RFC 9110, 15, and RFC 6585.
[[nodiscard]] constexpr std::string_view reason_phrase(int status) noexcept {
    switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return {};
    }
}

/// The status with which a server answers a request that its reader has refused: 400 unless RFC 9110 has a better one.
[[nodiscard]] constexpr int status_of(errc code) noexcept {
    switch (code) {
    case errc::payload_too_large: return 413;
    case errc::target_too_long: return 414;
    case errc::head_too_large:
    case errc::too_many_fields: return 431;
    case errc::unknown_transfer_coding: return 501;
    case errc::unsupported_http_version: return 505;
    default: return 400;
    }
}

} // namespace socketless::inline v0::http

#include <socketless/core/detail/epilogue.hpp>
