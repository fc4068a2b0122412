// Bytes over a TCP connection that does not block, with TLS by OpenSSL where that is there, or without.
#pragma once

#include "descriptor.hpp"

#include <sys/socket.h>

#ifdef SOCKETLESS_HAS_OPENSSL
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#endif

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace posix_driver {

/// How a read or a write has ended.
enum class io_status {
    /// `size` bytes went; of a write, maybe not all.
    done,
    /// Nothing went; poll says when to try again.
    again,
    /// Read: the peer has ended its side.
    ended,
    /// The connection is gone; errno says why.
    failed,
};

struct io_result {
    io_status status = io_status::failed;
    std::size_t size = 0;
};

/// Whom a client trusts.
struct client_trust {
    /// The certificates by which servers are verified, in PEM; those of the system if this is empty.
    std::string authorities = {};
    /// Whether a server's certificate and name are verified.
    bool verifies = true;
};

/// The certificate of a server, or whom a client trusts. Without OpenSSL there is neither.
class tls_context {
public:
    /// Does not encrypt.
    tls_context() = default;
    /// A server's. Throws if the files, in PEM, cannot be read.
    tls_context(std::string const& certificate, std::string const& key);
    /// A client's. Throws if the file cannot be read.
    explicit tls_context(client_trust const& trust);

#ifdef SOCKETLESS_HAS_OPENSSL
    [[nodiscard]] SSL_CTX* get() const noexcept {
        return context_.get();
    }

private:
    explicit tls_context(SSL_METHOD const* method);
    static void check(int is_good, std::string const& what) {
        if (is_good == 1) return;
        auto const error = ::ERR_get_error();
        char const* const reason = ::ERR_reason_error_string(error); // null for errors of the system
        throw std::runtime_error(what + ": " +
                                 (reason != nullptr ? reason : std::generic_category().message(ERR_GET_REASON(error))));
    }

    struct free_context {
        void operator()(SSL_CTX* c) const noexcept { ::SSL_CTX_free(c); }
    };
    std::unique_ptr<SSL_CTX, free_context> context_;
#endif
};

/// A connection.
class stream {
public:
    stream() = default;
    explicit stream(descriptor socket) : socket_(std::move(socket)) {}

    /// Begins TLS as a server, unless the context is empty. Throws if there is no memory.
    void accept_tls(tls_context const& tls);
    /// Begins TLS as a client; `host` is what the certificate must be for. `agree` does the rest. Throws if it cannot.
    void start_tls(tls_context const& tls, std::string const& host);
    /// A client's handshake: whether it is done. If not, poll says when to try again. Throws if it fails.
    [[nodiscard]] bool agree();

    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

    [[nodiscard]] io_result read(std::span<char> buffer);
    [[nodiscard]] io_result write(std::string_view bytes);
    /// Ends the side of ours: the peer reads the end behind what was written.
    void end();

    /// Whether a read would find bytes that poll does not know of.
    [[nodiscard]] bool has_unread() const noexcept;
    /// Whether a read waits until the socket can be written.
    [[nodiscard]] bool wants_write() const noexcept { return wants_write_; }

private:
    [[nodiscard]] static io_result plain(ssize_t result) noexcept {
        if (result > 0) return {io_status::done, static_cast<std::size_t>(result)};
        if (result == 0) return {io_status::ended};
        bool const is_early = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        return {is_early ? io_status::again : io_status::failed};
    }

    descriptor socket_;
    bool wants_write_ = false;
#ifdef SOCKETLESS_HAS_OPENSSL
    void begin_tls(tls_context const& tls);
    [[nodiscard]] io_result secure(int result);

    struct free_ssl {
        void operator()(SSL* s) const noexcept { ::SSL_free(s); }
    };
    std::unique_ptr<SSL, free_ssl> tls_;
#endif
};

#ifdef SOCKETLESS_HAS_OPENSSL

inline tls_context::tls_context(SSL_METHOD const* method) : context_(::SSL_CTX_new(method)) {
    check(context_ ? 1 : 0, "TLS");
    // What a write has left may be written from another place, and more of it.
    ::SSL_CTX_set_mode(get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
}

inline tls_context::tls_context(std::string const& certificate, std::string const& key)
    : tls_context(::TLS_server_method()) {
    check(::SSL_CTX_use_certificate_chain_file(get(), certificate.c_str()), certificate);
    check(::SSL_CTX_use_PrivateKey_file(get(), key.c_str(), SSL_FILETYPE_PEM), key);
}

inline tls_context::tls_context(client_trust const& trust) : tls_context(::TLS_client_method()) {
    ::SSL_CTX_set_verify(get(), trust.verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    if (trust.authorities.empty())
        check(::SSL_CTX_set_default_verify_paths(get()), "the certificates of the system");
    else
        check(::SSL_CTX_load_verify_locations(get(), trust.authorities.c_str(), nullptr), trust.authorities);
}

inline void stream::begin_tls(tls_context const& tls) {
    tls_.reset(::SSL_new(tls.get()));
    if (!tls_ || ::SSL_set_fd(tls_.get(), fd()) != 1) throw std::runtime_error("TLS cannot begin");
}

inline void stream::accept_tls(tls_context const& tls) {
    if (tls.get() == nullptr) return;
    begin_tls(tls);
    ::SSL_set_accept_state(tls_.get());
}

inline void stream::start_tls(tls_context const& tls, std::string const& host) {
    begin_tls(tls);
    ::SSL_set_connect_state(tls_.get());
    std::array<unsigned char, sizeof(in6_addr)> address{};
    bool const is_address =
        ::inet_pton(AF_INET, host.c_str(), &address) == 1 || ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
    // The name goes along, for servers that have several certificates.
    bool const is_good = is_address ? ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(tls_.get()), host.c_str()) == 1
                                    : ::SSL_set1_host(tls_.get(), host.c_str()) == 1 &&
                                          ::SSL_ctrl(tls_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                                     TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) == 1;
    if (!is_good) throw std::runtime_error("TLS cannot verify this name");
}

inline bool stream::agree() {
    if (!tls_) return true;
    wants_write_ = false;
    ::ERR_clear_error();
    int const result = ::SSL_do_handshake(tls_.get());
    auto const why = ::ERR_peek_error();
    auto const status = secure(result).status;
    if (status == io_status::done) return true;
    if (status == io_status::again) return false;
    if (auto const v = ::SSL_get_verify_result(tls_.get()); v != X509_V_OK)
        throw std::runtime_error(std::string("certificate refused: ") + ::X509_verify_cert_error_string(v));
    auto const* const reason = ::ERR_reason_error_string(why);
    throw std::runtime_error(reason != nullptr ? reason : "the server has ended the connection");
}

inline io_result stream::secure(int result) {
    if (result > 0) return {io_status::done, static_cast<std::size_t>(result)};
    switch (::SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_WRITE: wants_write_ = true; [[fallthrough]];
    case SSL_ERROR_WANT_READ: return {io_status::again};
    case SSL_ERROR_ZERO_RETURN: return {io_status::ended};
    case SSL_ERROR_SYSCALL: return {io_status::failed};
    default:
        ::ERR_clear_error();
        errno = EPROTO;
        return {io_status::failed};
    }
}

inline io_result stream::read(std::span<char> buffer) {
    if (!tls_) return plain(::recv(fd(), buffer.data(), buffer.size(), 0));
    wants_write_ = false;
    ::ERR_clear_error(); // of other connections: SSL_get_error looks there
    return secure(
        ::SSL_read(tls_.get(), buffer.data(), static_cast<int>(std::min<std::size_t>(buffer.size(), INT_MAX))));
}

inline io_result stream::write(std::string_view bytes) {
    if (!tls_) return plain(::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
    ::ERR_clear_error();
    auto const written =
        secure(::SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
    // OpenSSL tells the end that the peer has said before, instead of what has failed.
    return written.status == io_status::ended ? io_result{io_status::failed} : written;
}

inline void stream::end() {
    if (tls_) ::SSL_shutdown(tls_.get());
    ::ERR_clear_error();
    ::shutdown(fd(), SHUT_WR);
}

inline bool stream::has_unread() const noexcept {
    return tls_ && ::SSL_pending(tls_.get()) > 0;
}

#else

inline constexpr char no_tls[] = "this program was built without OpenSSL";

inline tls_context::tls_context(std::string const&, std::string const&) {
    throw std::runtime_error(no_tls);
}
inline tls_context::tls_context(client_trust const& trust) {
    if (!trust.authorities.empty()) throw std::runtime_error(no_tls);
}
inline void stream::accept_tls(tls_context const&) {}
inline void stream::start_tls(tls_context const&, std::string const&) {
    throw std::runtime_error(no_tls);
}
inline bool stream::agree() {
    return true;
}
inline io_result stream::read(std::span<char> buffer) {
    return plain(::recv(fd(), buffer.data(), buffer.size(), 0));
}
inline io_result stream::write(std::string_view bytes) {
    return plain(::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}
inline void stream::end() {
    ::shutdown(fd(), SHUT_WR);
}
inline bool stream::has_unread() const noexcept {
    return false;
}

#endif

} // namespace posix_driver
