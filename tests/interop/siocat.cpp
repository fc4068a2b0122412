// siocat: a Socket.IO client for the terminal, and for programs that drive it line by line.
#include "beast/client.hpp"
#include "command_line.hpp"
#include "siocat/command.hpp"
#include "siocat/end_signals.hpp"
#include "siocat/lines.hpp"
#include "siocat/output.hpp"
#include "siocat/session.hpp"

#include <socketless/client.hpp>
#include <socketless/core/system_random.hpp>
#include <socketless/engineio/transport.hpp>

#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <unistd.h>

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
namespace behind it if that is not /.

  --transport T           polling, websocket or upgrade: polling first, which is the default
  --protocol N            4, the default, or 3: that of Engine.IO; 3 is for servers of Socket.IO 1 and 2
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

struct options {
    client_options client;
    beast_driver::client_settings network;
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

bool read_header(std::string_view text, std::vector<beast_driver::header>& to) {
    auto header = beast_driver::parse_header(text);
    if (header) to.push_back(std::move(*header));
    return header.has_value();
}

options read_options(int argc, char** argv) {
    options o;
    o.client.transports = {transport::polling, transport::websocket};
    o.client.recovery = false;
    std::uint32_t attempts = 0xffffffff;
    bool is_insecure = false;
    command_line line(usage);
    line.option("--transport", [&o](std::string_view value) { return read_transport(value, o.client); });
    line.option("--protocol", [&o](std::string_view value) { return read_protocol(value, o.client); });
    line.option("--path", o.client.path);
    line.option("--nsp", [&o](std::string_view value) { return o.namespaces.emplace_back(value), true; });
    line.option("--auth", [&o](std::string_view value) { return read_auth(value, o.auth); });
    line.flag("--no-reconnect", [&o] { o.client.reconnection = false; });
    line.option("--reconnect-delay", o.client.reconnection_delay);
    line.option("--reconnect-attempts", attempts);
    line.flag("--recovery", o.client.recovery);
    line.option("--cacert", o.network.ca_file);
    line.flag("--insecure", is_insecure);
    line.option("--header", [&o](std::string_view value) { return read_header(value, o.network.headers); });
    line.flag("--json", o.speaks_json);
    auto const urls = line.parse(argc, argv);
    if (urls.size() != 1) line.fail("one URL is wanted");
    auto const url = beast_driver::parse_url(urls.front());
    if (!url || url->path.find('?') != std::string::npos) line.fail(urls.front());
    o.network.origin = url->origin;
    o.network.verify_server = !is_insecure;
    if (o.namespaces.empty()) o.namespaces.push_back(url->path.empty() ? "/" : url->path);
    if (o.client.revision == engineio::revision::v3 && !o.auth.empty())
        line.fail("--auth (servers of protocol 3 know none: give a query with a namespace, --nsp '/?token=abc')");
    o.client.reconnection_attempts = attempts;
    return o;
}

// Joins the three ends: the terminal, the session, the network.
class program {
public:
    explicit program(options o)
        : options_(std::move(o)), out_(make_output()), io_(options_.client, system_random(), now()),
          session_(io_, *out_, [this] { return network_.failure(); }), network_(context_, io_, *this, options_.network),
          input_(
              context_, [this](std::string_view line) { take(line); }, [this] { end(); }),
          signals_(context_, [this] { close(); }) {}

    /// Returns the exit code.
    int run() {
        for (std::string const& nsp : options_.namespaces)
            execute(
                [&] { return siocat::command{.operation = operation::connect, .nsp = nsp, .auth = options_.auth}; });
        if (session_.wants_nothing()) return 1;
        network_.drive();
        context_.run();
        return exit_code();
    }

    void handle(socketio::event& e) { session_.handle(e); }

    void rest() {
        if (session_.is_over()) {
            input_.stop();
            signals_.finish(exit_code());
        } else if (session_.queued() < enough) {
            input_.read();
        }
    }

private:
    using operation = siocat::operation;

    // With this many bytes waiting, the input is not read.
    static constexpr std::size_t enough = std::size_t{1} * 1024 * 1024;

    static time_point now() { return std::chrono::steady_clock::now(); }

    [[nodiscard]] std::unique_ptr<siocat::output> make_output() const {
        if (options_.speaks_json) return std::make_unique<siocat::json_output>();
        return std::make_unique<siocat::human_output>();
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

    void end() {
        session_.end_of_input();
        network_.drive();
    }

    void close() {
        io_.handle_timeout(now());
        session_.close();
        network_.drive();
    }

    [[nodiscard]] int exit_code() const { return session_.has_failed() ? 1 : 0; }

    options options_;
    boost::asio::io_context context_{1}; // one thread
    std::unique_ptr<siocat::output> out_;
    client io_;
    siocat::session session_;
    siocat::typed_commands typed_;
    beast_driver::client<client, program> network_;
    siocat::line_reader input_;
    siocat::end_signals signals_;
};

// A closed standard stream, as by the shell's <&-, would become the next socket: opens an empty one in its place.
void open_standard_streams() {
    int lowest = STDIN_FILENO;
    while (lowest >= 0 && lowest <= STDERR_FILENO) lowest = ::open("/dev/null", O_RDWR);
    if (lowest > STDERR_FILENO) ::close(lowest);
}

} // namespace

int main(int argc, char** argv) try {
    open_standard_streams();
    return program(read_options(argc, argv)).run();
} catch (std::exception const& e) {
    std::fprintf(stderr, "siocat: %s\n", e.what());
    return 1;
}
