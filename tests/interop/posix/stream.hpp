// Bytes over a TCP connection that does not block, with TLS by OpenSSL where that is there, or without.
#pragma once

#include "descriptor.hpp"

#include <sys/socket.h>

#ifdef SOCKETLESS_HAS_OPENSSL
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
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
    /// The connection is gone.
    failed,
};

struct io_result {
    io_status status = io_status::failed;
    std::size_t size = 0;
};

/// The certificate of a server. Without OpenSSL there is none.
class server_tls {
public:
    /// Does not encrypt.
    server_tls() = default;
    /// Throws if the files, in PEM, cannot be read.
    server_tls(std::string const& certificate, std::string const& key);

#ifdef SOCKETLESS_HAS_OPENSSL
    [[nodiscard]] SSL_CTX* get() const noexcept {
        return context_.get();
    }

private:
    struct free_context {
        void operator()(SSL_CTX* c) const noexcept { ::SSL_CTX_free(c); }
    };
    std::unique_ptr<SSL_CTX, free_context> context_;
#endif
};

/// A connection that a server has accepted.
class stream {
public:
    explicit stream(descriptor socket) : socket_(std::move(socket)) {}
    stream(descriptor socket, server_tls const& tls);

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
    [[nodiscard]] io_result secure(int result);

    struct free_ssl {
        void operator()(SSL* s) const noexcept { ::SSL_free(s); }
    };
    std::unique_ptr<SSL, free_ssl> tls_;
#endif
};

#ifdef SOCKETLESS_HAS_OPENSSL

inline server_tls::server_tls(std::string const& certificate, std::string const& key)
    : context_(::SSL_CTX_new(::TLS_server_method())) {
    auto const check = [](int is_good) {
        if (is_good != 1) throw std::runtime_error(::ERR_reason_error_string(::ERR_peek_last_error()));
    };
    check(context_ ? 1 : 0);
    check(::SSL_CTX_use_certificate_chain_file(get(), certificate.c_str()));
    check(::SSL_CTX_use_PrivateKey_file(get(), key.c_str(), SSL_FILETYPE_PEM));
    // What a write has left may be written from another place, and more of it.
    ::SSL_CTX_set_mode(get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

inline stream::stream(descriptor socket, server_tls const& tls) : socket_(std::move(socket)) {
    if (tls.get() == nullptr) return;
    tls_.reset(::SSL_new(tls.get()));
    if (!tls_ || ::SSL_set_fd(tls_.get(), fd()) != 1) throw std::runtime_error("TLS");
    ::SSL_set_accept_state(tls_.get());
}

inline io_result stream::secure(int result) {
    if (result > 0) return {io_status::done, static_cast<std::size_t>(result)};
    switch (::SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_WRITE: wants_write_ = true; [[fallthrough]];
    case SSL_ERROR_WANT_READ: return {io_status::again};
    case SSL_ERROR_ZERO_RETURN: return {io_status::ended};
    default: ::ERR_clear_error(); return {io_status::failed};
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
    return secure(
        ::SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
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

inline server_tls::server_tls(std::string const&, std::string const&) {
    throw std::runtime_error("this program was built without OpenSSL");
}
inline stream::stream(descriptor socket, server_tls const&) : socket_(std::move(socket)) {}
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
