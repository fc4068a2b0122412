#include "tools/catch.hpp"
#include "tools/random.hpp"

#include <socketless/engineio/outbox.hpp>

#include <deque>
#include <string>
#include <utility>

namespace engineio_outbox_test {

using namespace socketless;
using engineio::shared_message;
using engineio::detail::outbox;

namespace {

constexpr frame text(std::string_view data) {
    return {frame_kind::text, data};
}
constexpr frame binary(std::string_view data) {
    return {frame_kind::binary, data};
}

} // namespace

TEST_CASE("messages leave in the order in which they came", "[engineio]") {
    outbox queue;
    CHECK(queue.empty());
    queue.push(text("one"));
    queue.push(shared_message(binary("two")));
    queue.push(text(""));
    CHECK(queue.size() == 3 + 3 + 3u); // with the type of each packet
    CHECK(queue.has_binary());

    CHECK(queue.front().data() == "one");
    CHECK(queue.front().wire == "4one");
    CHECK(queue.front().kind == frame_kind::text);
    queue.pop();
    CHECK(queue.front().data() == "two");
    CHECK(queue.front().wire == "\x04two");
    CHECK(queue.front().kind == frame_kind::binary);
    queue.pop();
    CHECK_FALSE(queue.has_binary());
    CHECK(queue.front().wire == "4");
    queue.pop();
    CHECK(queue.empty());
    CHECK(queue.size() == 0);
}

TEST_CASE("a message that was taken off keeps its bytes until the next push", "[engineio]") {
    outbox queue;
    queue.push(text("one"));
    queue.push(text("two"));
    auto const one = queue.front();
    queue.pop();
    auto const two = queue.front();
    queue.pop();
    CHECK(one.data() == "one");
    CHECK(two.data() == "two");
}

TEST_CASE("a shared message is queued without a copy, and its bytes go with the last queue", "[engineio]") {
    outbox first;
    outbox second;
    {
        shared_message const message(text("to all"));
        CHECK(message);
        CHECK(message.kind() == frame_kind::text);
        first.push(message);
        second.push(message);
        CHECK(first.front().wire.data() == message.wire().data());
    }
    CHECK(first.front().wire.data() == second.front().wire.data());
    first.clear();
    CHECK(second.front().data() == "to all");
    CHECK_FALSE(shared_message());
}

TEST_CASE("a queue that was cleared or shrunk is as good as new", "[engineio]") {
    outbox queue;
    queue.push(text("one"));
    queue.shrink(); // not empty: keeps its memory
    CHECK(queue.front().data() == "one");
    queue.clear();
    CHECK(queue.empty());
    CHECK(queue.size() == 0);
    queue.push(text("two"));
    CHECK(queue.front().data() == "two");
    queue.pop();
    queue.shrink();
    CHECK(queue.empty());
    queue.push(text("three"));
    CHECK(queue.front().data() == "three");
}

TEST_CASE("a queue does what a deque of strings would", "[engineio]") {
    support::random_source random(GENERATE(1u, 2u, 3u, 4u));
    outbox queue;
    std::deque<std::pair<frame_kind, std::string>> model;
    std::size_t size = 0;
    for (int step = 0; step != 20'000; ++step) {
        bool const filling = step / 1'000 % 2 == 0;
        if (model.empty() || !random.one_in(filling ? 3 : 2)) {
            auto const kind = random.one_in(2) ? frame_kind::text : frame_kind::binary;
            auto data = random.text(random.below(40), "abc");
            if (random.one_in(3))
                queue.push(shared_message({kind, data}));
            else
                queue.push(frame{kind, data});
            size += data.size() + 1;
            model.emplace_back(kind, std::move(data));
        } else {
            size -= model.front().second.size() + 1;
            queue.pop();
            model.pop_front();
        }
        REQUIRE(queue.empty() == model.empty());
        REQUIRE(queue.size() == size);
        if (model.empty()) continue;
        REQUIRE(queue.front().kind == model.front().first);
        REQUIRE(queue.front().data() == model.front().second);
    }
}

} // namespace engineio_outbox_test
