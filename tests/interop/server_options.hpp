// What the command lines of the servers have in common.
#pragma once

#include "beast/server.hpp"
#include "command_line.hpp"

#include <socketless/engineio/server_session.hpp>

#include <boost/asio/ssl/context.hpp>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>

struct listen_options {
    std::uint16_t port = 0;
    std::string certificate;
    std::string key;
};

#define SERVER_USAGE                                                                                                   \
    "  --port N              0, the default, picks one\n"                                                              \
    "  --ping-interval ms    --ping-timeout ms    --upgrade-timeout ms\n"                                              \
    "  --max-payload bytes   of a body or a message\n"                                                                 \
    "  --allow-v3            serves clients of revision 3 (EIO=3) too\n"                                               \
    "  --path P              the path of the protocol's requests\n"                                                    \
    "  --cert FILE --key FILE   serves https and wss; both in PEM\n"
