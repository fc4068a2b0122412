// Descriptors of sockets that do not block, and a socket that listens.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

namespace posix_driver {

/// Owns a descriptor of a socket, which does not block.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) : fd_(fd) {
        if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
        ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
    }
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }

    void set(int level, int name, int value) const noexcept { ::setsockopt(fd_, level, name, &value, sizeof value); }

private:
    int fd_ = -1;
};

/// A closed standard stream, as by the shell's <&-, would become the next socket: opens an empty one in its place.
inline void open_standard_streams() {
    int lowest = STDIN_FILENO;
    while (lowest >= 0 && lowest <= STDERR_FILENO) lowest = ::open("/dev/null", O_RDWR);
    if (lowest > STDERR_FILENO) ::close(lowest);
}

/// A socket, and the port that it has.
struct listening_socket {
    descriptor socket;
    std::uint16_t port = 0;
};

/// Listens on all addresses of the machine, of both versions of IP where there are both. Port 0 leaves the choice to
/// the system. Throws if that fails.
inline listening_socket listen_on(std::uint16_t port) {
    int const v6 = ::socket(AF_INET6, SOCK_STREAM, 0);
    descriptor socket(v6 >= 0 ? v6 : ::socket(AF_INET, SOCK_STREAM, 0));
    socket.set(SOL_SOCKET, SO_REUSEADDR, 1);
    sockaddr_storage address{};
    socklen_t size = 0;
    if (v6 >= 0) {
        socket.set(IPPROTO_IPV6, IPV6_V6ONLY, 0);
        auto& a = reinterpret_cast<sockaddr_in6&>(address);
        a.sin6_family = AF_INET6;
        a.sin6_port = htons(port);
        size = sizeof a;
    } else {
        auto& a = reinterpret_cast<sockaddr_in&>(address);
        a.sin_family = AF_INET;
        a.sin_port = htons(port);
        size = sizeof a;
    }
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    bool const is_good = ::bind(socket.get(), generic, size) == 0 && ::listen(socket.get(), SOMAXCONN) == 0 &&
                         ::getsockname(socket.get(), generic, &size) == 0;
    if (!is_good) throw std::system_error(errno, std::generic_category(), "listen on port " + std::to_string(port));
    auto const bound =
        v6 >= 0 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port;
    return {std::move(socket), ntohs(bound)};
}

} // namespace posix_driver
