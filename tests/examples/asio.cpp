// The compiled part of Boost.Asio. The programs include the rest of it as headers.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
