"""URLs of the pages that show recommendations with their reasons."""

from django.urls import path

from explanations.views import absences, acts, interests, pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("rows/<slug:placement>/", pages.row, name="row"),
    path("products/<path:external_id>/", pages.product, name="product"),
    path("why/<slug:recommendation_id>/", pages.why, name="why"),
    path("why-not/<path:external_id>/", absences.why_not_page, name="why_not"),
    path("history/", pages.history, name="history"),
    path("interests/", interests.interests, name="interests"),
    path("how/", pages.how, name="how"),
    path("acts/not-interested/", acts.not_interested, name="not_interested"),
    path("acts/show-again/", acts.show_product_again, name="show_again"),
    path("acts/leave-out/", acts.leave_out, name="leave_out"),
    path("acts/use-again/", acts.use_again, name="use_again"),
    path("acts/gift/", acts.gift, name="gift"),
    path("acts/less-of/", acts.less_of, name="less_of"),
    path("acts/as-much-of/", acts.as_much_of, name="as_much_of"),
    path("acts/personalised/", acts.personalised, name="personalised"),
    path("acts/viewed/", acts.viewed, name="viewed"),
    path("acts/shown/", acts.shown, name="shown"),
]
