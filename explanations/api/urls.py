"""Paths of the endpoints that show recommendations, below the version."""

from django.urls import path

from explanations.api import absences, parameters, views

urlpatterns = [
    path("shoppers/<path:external_id>/why-not/<path:product>", absences.WhyNotView.as_view()),
    path("shoppers/<path:external_id>/recommendations", views.ShopperRecommendationsView.as_view()),
    path("recommendations", views.RecommendationsView.as_view()),
    path("model/main-parameters", parameters.MainParametersView.as_view()),
    path("explanations/<str:recommendation_id>", views.ExplanationView.as_view()),
]
