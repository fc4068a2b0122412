#include "support/catch.hpp"

#include <socketless/client.hpp>
#include <socketless/core/random.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/server.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#if __has_include(<sys/wait.h>)
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#endif

namespace core_random_test {

using namespace socketless;

namespace {

void fill(std::span<std::byte> bytes) {
    for (std::byte& b : bytes) b = std::byte{1};
}

struct not_random {};
struct takes_nothing {
    void operator()() const {}
};

} // namespace

// There is no way to say "no source".
static_assert(!std::is_default_constructible_v<random_source>);
static_assert(!std::is_constructible_v<random_source, std::nullptr_t>);
static_assert(!std::is_convertible_v<std::nullptr_t, random_source>);
static_assert(!std::is_constructible_v<random_source, not_random>);
static_assert(!std::is_constructible_v<random_source, takes_nothing>);
static_assert(!std::is_constructible_v<random_source, int>);
static_assert(!std::is_constructible_v<server, server_options, std::nullptr_t, time_point>);
static_assert(!std::is_constructible_v<client, client_options, std::nullptr_t, time_point>);
static_assert(!std::is_constructible_v<engineio::server, engineio::server_options, std::nullptr_t>);
// What is called with bytes is a source.
static_assert(std::is_convertible_v<void (*)(std::span<std::byte>), random_source>);
static_assert(std::is_convertible_v<std::function<void(std::span<std::byte>)>, random_source>);
static_assert(std::is_constructible_v<server, server_options, void (*)(std::span<std::byte>), time_point>);
static_assert(std::copyable<random_source>);

TEST_CASE("a source of randomness is any function object that fills bytes", "[random]") {
    int calls = 0;
    for (random_source const& source : {random_source(fill), random_source([&calls](std::span<std::byte> bytes) {
                                            ++calls;
                                            fill(bytes);
                                        }),
                                        random_source(random_source::function(fill))}) {
        std::byte bytes[3]{};
        source(bytes);
        CHECK(bytes[2] == std::byte{1});
        CHECK(view(make_random_id(source)) == "AQEBAQEBAQEBAQEBAQEB");
    }
    CHECK(calls == 2);
}

TEST_CASE("a source that was moved goes on where it was", "[random]") {
    random_source counting([n = std::byte{}](std::span<std::byte> bytes) mutable {
        n = static_cast<std::byte>(std::to_integer<int>(n) + 1);
        bytes[0] = n;
    });
    std::byte b[1]{};
    counting(b);
    random_source moved = std::move(counting);
    moved(b);
    CHECK(b[0] == std::byte{2});
    random_source assigned(fill);
    assigned = std::move(moved);
    assigned(b);
    CHECK(b[0] == std::byte{3});
}

#if __has_include(<sys/wait.h>)

namespace {

// Whether the program is ended by abort() in `f`.
template <class F>
bool aborts(F f) {
    std::fflush(nullptr);
    pid_t const child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        static_cast<void>(close(STDERR_FILENO)); // where an assertion says what failed
        f();
        _exit(0);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

} // namespace

TEST_CASE("an empty source ends the program where it is made, not at the first id", "[random]") {
    void (*nowhere)(std::span<std::byte>) = nullptr;
    CHECK(aborts([&] { static_cast<void>(random_source(nowhere)); }));
    CHECK(aborts([] { static_cast<void>(random_source(random_source::function())); }));
    CHECK(aborts([] { static_cast<void>(random_source(std::function<void(std::span<std::byte>)>(nullptr))); }));
    CHECK(aborts([] {
        random_source source(fill);
        random_source const taken = std::move(source);
        random_source const again = source; // NOLINT(bugprone-use-after-move)
    }));
    CHECK(aborts([&] { static_cast<void>(std::make_unique<server>(server_options{}, nowhere, time_point())); }));
    CHECK(aborts([&] { static_cast<void>(std::make_unique<client>(client_options{}, nowhere, time_point())); }));
    CHECK(aborts([&] { static_cast<void>(std::make_unique<engineio::server>(engineio::server_options{}, nowhere)); }));
    CHECK_FALSE(aborts([] { static_cast<void>(std::make_unique<client>(client_options{}, fill, time_point())); }));
}

#endif

} // namespace core_random_test
