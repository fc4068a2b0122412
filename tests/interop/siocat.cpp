// siocat: a Socket.IO client for the terminal, and for programs that drive it line by line.
#include "command_line.hpp"
#include "parser_option.hpp"
#include "posix/descriptor.hpp"
#include "posix/end_signals.hpp"
#include "posix/network.hpp"
#include "posix/stream.hpp"
#include "siocat/command.hpp"
#include "siocat/lines.hpp"
#include "siocat/output.hpp"
#include "siocat/session.hpp"

#include <socketless/client.hpp>
#include <socketless/core/system_random.hpp>
#include <socketless/engineio/transport.hpp>
#include <socketless/http/url.hpp>
#include <socketless/text/token.hpp>
#include <socketless/wire/client.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace socketless;
using engineio::transport;

constexpr std::string_view usage = R"(siocat [options] URL
A Socket.IO client for the terminal. URL is http://host:port or https://host:port, as in socket.io-client with a
namespace behind it if that is not /, and a query for the server: ?token=abc.

  --transport T           polling, websocket or upgrade: polling first, which is the default
  --protocol N            4, the default, or 3: that of Engine.IO; 3 is for servers of Socket.IO 1 and 2
  --parser P              default, or msgpack: how packets are sent; the server must use the same
  --path P                the path of the server, /socket.io/ by default
  --nsp N                 joins this namespace instead; may be given several times
  --auth JSON             an object that goes along when these are joined; not with protocol 3
  --no-reconnect          ends when the connection is lost
  --reconnect-delay MS    how long to wait before connecting again: 1000
  --reconnect-attempts N  how often that is tried: without end
  --recovery              has the state of a lost connection restored, with what was missed, by servers that can
  --cacert FILE           certificates that the server's is verified by, in PEM, instead of those of the system
  --insecure              does not verify the server
  --header 'NAME: VALUE'  goes along with all requests; may be given several times
  --proxy URL             connects through this HTTP proxy: http://user:password@host:port, or https
  --cookies on|off        whether the server's cookies are kept and sent back, for balancers: on
  --json                  speaks JSON, an object a line, both ways

Type /help for what can be typed. With --json the lines are:

  {"op":"connect","nsp":"/","auth":{}}         what may be left out: auth, and nsp where it is /
  {"op":"emit","nsp":"/","event":"x","args":[],"ack":true,"timeout":1000,"volatile":false,"id":"tag"}
  {"op":"reply","token":"...","args":[]}       acknowledges an event
  {"op":"disconnect","nsp":"/"}
  {"op":"close"}

  {"on":"open","transport":"polling"}, {"on":"upgrade","transport":"websocket"}
  {"on":"connect","nsp":"/","sid":"...","recovered":false}
  {"on":"connect_error","nsp":"/","message":"...","data":null}
  {"on":"event","nsp":"/","event":"x","args":[],"token":"..."}    the token is there if an acknowledgement is asked for
  {"on":"ack","id":"tag","args":[]}, {"on":"ack_timeout","id":"tag"}
  {"on":"ack_lost","id":"tag"}                 the connection ended before the acknowledgement came
  {"on":"disconnect","nsp":"/","reason":"..."}
  {"on":"reconnect_attempt","attempt":1}, {"on":"reconnect_failed"}
  {"on":"close","reason":"..."}
  {"on":"error","message":"..."}               a line in could not be done

Bytes, anywhere in args, are {"$binary":"hex"}. At the end of the input the connection is closed, once all has been sent
and the acknowledgements have come. SIGINT and SIGTERM close it too: within 2 s, or at once when they come again. The
exit code is 0 if the connection was closed because that was asked for, 1 if it could not be made or was lost for good,
or if the last namespace that was wanted was refused; 128 and the signal's number if a signal did not leave time to
close.)";

// With this many bytes waiting for the network, the input is not read. Far more may wait for a server or a namespace:
// they may never come, and the next line may say to close.
constexpr std::size_t max_queued = std::size_t{1} * 1024 * 1024;
constexpr std::size_t max_buffered = std::size_t{16} * 1024 * 1024;

struct options {
    http::url url;
    client_options client;
    wire::client_options wire;
    posix_driver::client_trust trust;
    std::vector<std::string> namespaces;
    json::text auth;
    bool speaks_json = false;
};

bool read_transport(std::string_view name, client_options& to) {
    if (name == "polling") to.transports = {transport::polling};
    if (name == "websocket") to.transports = {transport::websocket};
    if (name == "upgrade") to.transports = {transport::polling, transport::websocket};
    return name == "polling" || name == "websocket" || name == "upgrade";
}

bool read_protocol(std::string_view number, client_options& to) {
    to.revision = number == "3" ? engineio::revision::v3 : engineio::revision::v4;
    return number == "3" || number == "4";
}

bool read_auth(std::string_view text, json::text& to) {
    auto const json = json::validate(text);
    to = json.value_or(json::text());
    return to.is(json::kind::object);
}

bool read_header(std::string_view text, wire::client_options& to) {
    auto const colon = std::min(text.find(':'), text.size());
    auto const name = text.substr(0, colon);
    auto const value = token::trimmed(text.substr(std::min(colon + 1, text.size())));
    if (colon == text.size() || !wire::is_addable({name, value})) return false;
    to.headers.emplace_back(name, value);
    return true;
}

bool read_switch(std::string_view text, bool& to) {
    to = text == "on";
    return text == "on" || text == "off";
}

options read_options(int argc, char** argv) {
    options o;
    o.client.transports = {transport::polling, transport::websocket};
    o.client.recovery = false;
    o.client.max_buffered = o.client.max_queued = 2 * max_buffered; // one more line
    o.client.max_pending_acks = max_buffered / 8;                   // those that wait count by their bytes
    std::uint32_t attempts = 0xffffffff;
    command_line line(usage);
    line.option("--transport", "is polling, websocket or upgrade",
                [&o](std::string_view value) { return read_transport(value, o.client); });
    line.option("--protocol", "is 3 or 4", [&o](std::string_view value) { return read_protocol(value, o.client); });
    declare_parser(line, o.client.parser);
    line.option("--path", o.client.path);
    line.option("--nsp", {}, [&o](std::string_view value) { return o.namespaces.emplace_back(value), true; });
    line.option("--auth", "wants a JSON object", [&o](std::string_view value) { return read_auth(value, o.auth); });
    line.flag("--no-reconnect", [&o] { o.client.reconnection = false; });
    line.option("--reconnect-delay", o.client.reconnection_delay);
    line.option("--reconnect-attempts", attempts);
    line.flag("--recovery", o.client.recovery);
    line.option("--cacert", o.trust.authorities);
    line.flag("--insecure", [&o] { o.trust.verifies = false; });
    line.option("--header", "wants NAME: VALUE", [&o](std::string_view value) { return read_header(value, o.wire); });
    line.option("--proxy", o.wire.proxy);
    line.option("--cookies", "is on or off",
                [&o](std::string_view value) { return read_switch(value, o.wire.keeps_cookies); });
    line.flag("--json", o.speaks_json);
    auto const urls = line.parse(argc, argv);
    if (urls.size() != 1) line.fail("one URL is wanted");
    auto const url = http::parse_url(urls.front());
    if (!url) line.fail("no URL that can be used: " + std::string(urls.front()));
    if (!check(o.wire)) line.fail("--proxy", "wants http://host:port or https", o.wire.proxy);
    o.url = *url;
    if (o.namespaces.empty()) o.namespaces.emplace_back(url->path);
    o.client.reconnection_delay_max = std::max(o.client.reconnection_delay_max, o.client.reconnection_delay);
    if (o.client.revision == engineio::revision::v3 && !o.auth.empty())
        line.fail("--auth: servers of protocol 3 know none: give a query with a namespace, --nsp '/?token=abc'");
    o.client.reconnection_attempts = attempts;
    return o;
}

// Joins the three ends: the terminal, the session, the network.
class program {
public:
    explicit program(options const& o)
        : options_(o), out_(make_output()), io_(o.url, o.client, o.wire, system_random(), now()),
          session_(io_.protocol(), *out_, [this] { return failure(); }),
          network_(io_, *this, posix_driver::tls_context(o.trust)) {}

    /// Returns the exit code.
    int run() {
        for (std::string const& nsp : options_.namespaces)
            execute(
                [&] { return siocat::command{.operation = operation::connect, .nsp = nsp, .auth = options_.auth}; });
        if (session_.wants_nothing()) return 1;
        network_.watch(signals_.fd(), [this] { close(); });
        network_.run([this] { return goes_on(); });
        session_.end_acks();
        return exit_code();
    }

    void handle(socketio::event& e) { session_.handle(e); }

private:
    using operation = siocat::operation;

    static constexpr std::chrono::seconds max_closing{2};
    static constexpr std::chrono::seconds max_goodbye{6}; // servers have 5 s to answer one

    static time_point now() { return std::chrono::steady_clock::now(); }

    [[nodiscard]] std::unique_ptr<siocat::output> make_output() const {
        if (options_.speaks_json) return std::make_unique<siocat::json_output>();
        return std::make_unique<siocat::human_output>();
    }

    // What the program is to wait for.
    bool goes_on() {
        take_lines();
        bool const is_over = session_.is_over();
        if (is_over) signals_.finish(exit_code(), max_goodbye);
        if (!is_over && !input_.has_ended() && has_room())
            network_.watch(STDIN_FILENO, [this] { input_.read(); });
        else
            network_.unwatch(STDIN_FILENO);
        return !is_over || !io_.is_done();
    }

    // Whether another line may be taken.
    [[nodiscard]] bool has_room() const {
        return io_.protocol().queued() < max_queued && io_.protocol().buffered() < max_buffered;
    }

    void take_lines() {
        while (!session_.is_over() && has_room()) {
            auto const line = input_.next();
            if (!line) break;
            take(*line);
        }
        if (!input_.has_ended()) return;
        session_.end_of_input();
        network_.drive();
    }

    void take(std::string_view line) {
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
        execute([&] { return options_.speaks_json ? siocat::json_commands::read(line) : typed_.read(line); });
        network_.drive();
    }

    template <class Read>
    void execute(Read read) {
        try {
            io_.handle_timeout(now());
            session_.execute(read());
        } catch (siocat::bad_input const& e) {
            out_->error(e.what());
        }
    }

    void close() {
        network_.unwatch(signals_.fd());
        io_.handle_timeout(now());
        session_.close();
    }

    [[nodiscard]] std::string failure() const {
        if (!network_.failure().empty()) return network_.failure();
        return std::string(io_.failure() != errc{} ? message(io_.failure()) : "no answer");
    }

    [[nodiscard]] int exit_code() const { return session_.has_failed() ? 1 : 0; }

    options const& options_;
    std::unique_ptr<siocat::output> out_;
    wire::client<> io_;
    siocat::session session_;
    siocat::typed_commands typed_;
    posix_driver::network<wire::client<>, program> network_;
    siocat::line_reader input_;
    posix_driver::end_signals signals_{max_closing};
};

} // namespace

int main(int argc, char** argv) try {
    posix_driver::open_standard_streams();
    auto const options = read_options(argc, argv);
    return program(options).run();
} catch (std::exception const& e) {
    std::fprintf(stderr, "siocat: %s\n", e.what());
    return 1;
}
