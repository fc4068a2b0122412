#include "tools/catch.hpp"

#include <socketless/client.hpp>
#include <socketless/core/random.hpp>
#include <socketless/core/system_random.hpp>
#include <socketless/engineio/server.hpp>
#include <socketless/server.hpp>

#include <algorithm>
#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#if __has_include(<sys/wait.h>)
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#endif
#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

namespace core_random_test {

using namespace socketless;

namespace {

void fill(std::span<std::byte> bytes) {
    for (std::byte& b : bytes) b = std::byte{1};
}

bool all_zero(std::span<std::byte const> bytes) {
    return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{}; });
}

struct not_random {};
struct takes_nothing {
    void operator()() const {}
};

} // namespace

// No value means "no source".
static_assert(!std::is_default_constructible_v<random_source>);
static_assert(!std::is_constructible_v<random_source, std::nullptr_t>);
static_assert(!std::is_convertible_v<std::nullptr_t, random_source>);
static_assert(!std::is_constructible_v<random_source, not_random>);
static_assert(!std::is_constructible_v<random_source, takes_nothing>);
static_assert(!std::is_constructible_v<random_source, int>);
static_assert(!std::is_constructible_v<server, server_options, std::nullptr_t, time_point>);
static_assert(!std::is_constructible_v<client, client_options, std::nullptr_t, time_point>);
static_assert(!std::is_constructible_v<engineio::server, engineio::server_options, std::nullptr_t>);
// Any function that takes bytes is a source.
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

TEST_CASE("the system fills as many bytes as it is asked for", "[random]") {
    auto const source = system_random();
    CHECK(view(make_random_id(source)) != view(make_random_id(source)));
    source({});
    for (std::size_t const size : {32u, 257u, 100'000u}) {
        std::vector<std::byte> bytes(size + 1);
        source(std::span(bytes).first(size));
        CHECK_FALSE(all_zero(std::span(bytes).first(32)));
        CHECK_FALSE(all_zero(std::span(bytes).last(33)));
        CHECK(bytes[size] == std::byte{});
    }
}

#if __has_include(<sys/wait.h>)

namespace {

// Whether `f` ends the program by abort().
template <class F>
bool aborts(F f) {
    std::fflush(nullptr);
    pid_t const child = fork();
    if (child == 0) {
        std::signal(SIGABRT, SIG_DFL);
        static_cast<void>(close(STDERR_FILENO)); // assertions write there
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

TEST_CASE("signals do not keep the system from filling all bytes", "[random]") {
    std::vector<std::byte> bytes(std::size_t{48} << 20u); // more than Linux gives at once
    static int volatile alarms = 0;
    struct sigaction act = {};
    struct sigaction before = {};
    act.sa_handler = [](int) { alarms = alarms + 1; }; // without SA_RESTART
    REQUIRE(sigaction(SIGALRM, &act, &before) == 0);
    itimerval const often{{0, 1000}, {0, 1000}};
    itimerval const never{};
    setitimer(ITIMER_REAL, &often, nullptr);
    system_random()(bytes);
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before, nullptr);
    CHECK(alarms > 0);
    for (std::size_t at = 0; at != bytes.size(); at += std::size_t{1} << 20u)
        CHECK_FALSE(all_zero(std::span(bytes).subspan(at, 32)));
    CHECK_FALSE(all_zero(std::span(bytes).last(32)));
}

#if __has_include(<linux/seccomp.h>)

TEST_CASE("a system that refuses randomness ends the program, and no id can be guessed", "[random]") {
    CHECK(aborts([] {
        sock_filter steps[] = {
            {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
            {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_getrandom},
            {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
            {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
        };
        sock_fprog const program{4, steps};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
            std::abort(); // the filter cannot be set: nothing to test
        static_cast<void>(make_random_id(system_random()));
    }));
}

#endif
#endif

} // namespace core_random_test
